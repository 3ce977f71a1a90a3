//! Flags of the daemon.

#[cfg(feature = "otlp")]
use std::time::Duration;
use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

#[cfg(feature = "otlp")]
use super::value::{collector, metrics_interval};
use super::{RecordArgs, WatchArgs, value::listen_address};

/// Flags of `daemon`.
#[derive(Clone, Debug, Args)]
pub struct DaemonArgs {
    /// What to watch.
    #[command(flatten)]
    pub watch: WatchArgs,

    /// YAML file of settings; its keys are the names of the flags below, and a flag that is given counts more
    ///
    /// On SIGHUP it is read again: log.level, web.listen-address and web.config.file take effect at once, and nothing
    /// that was learned is lost; of every other key that has changed, the log says that it needs a restart.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the settings that count as such a file, with where each comes from, and end
    #[arg(long)]
    pub print_config: bool,

    /// Address for metrics and health; `:9924` means all addresses of the host
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9924",
        value_parser = listen_address
    )]
    pub listen_address: SocketAddr,

    /// File with certificates and passwords, in the format that Prometheus's exporters share; read again when it changes
    ///
    /// Keys: tls_server_config (cert_file, key_file, client_auth_type, client_ca_file, min_version, max_version),
    /// basic_auth_users (names with bcrypt hashes), http_server_config (headers).
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config_file: Option<PathBuf>,

    /// Offer metrics as protobuf too, with native histograms
    ///
    /// A Prometheus that asks for protobuf then gets idle times in native buckets beside the classic ones, of which it keeps
    /// the native alone unless it is told otherwise (always_scrape_classic_histograms); queries for `_bucket` series, as in the
    /// dashboard, need the classic ones.
    #[cfg(feature = "protobuf")]
    #[arg(long = "web.native-histograms")]
    pub native_histograms: bool,

    /// Export how often each kernel program runs and for how long; costs two looks at the clock per run
    ///
    /// The kernel then keeps statistics of every eBPF program on this host, for which CAP_SYS_ADMIN is needed. Where
    /// `sysctl kernel.bpf_stats_enabled` is 1 it keeps them anyway, and they are exported without this flag.
    #[arg(long = "kernel.program-stats")]
    pub program_stats: bool,

    /// Send each verdict that is not harmless to an OpenTelemetry collector, by OTLP over HTTP, such as
    /// `http://127.0.0.1:4318`
    ///
    /// As a log record, to /v1/logs below this address. A collector that is not there costs nothing but verdicts: they wait
    /// for a minute, at most 2048 of them, and reset_observer_otlp_verdicts_total counts those that are dropped.
    #[cfg(feature = "otlp")]
    #[arg(long = "otlp-endpoint", value_name = "URL", value_parser = collector)]
    pub otlp_endpoint: Option<String>,

    /// Send all metrics there too, so often, such as 60s
    ///
    /// To /v1/metrics, under the names of /metrics, counted since the start.
    #[cfg(feature = "otlp")]
    #[arg(long = "otlp-metrics-interval", value_name = "TIME", value_parser = metrics_interval)]
    pub otlp_metrics_interval: Option<Duration>,

    /// Whether to record what decides the verdicts.
    #[command(flatten)]
    pub recording: RecordArgs,
}
