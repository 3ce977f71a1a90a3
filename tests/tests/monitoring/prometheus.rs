//! A Prometheus and an Alertmanager of our own, at free ports of the loopback.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use lab::child::{Child, Launch};
use lab::client::Client;

use super::hastened::hastened;
use super::secured::{PASSWORD, Secured, USER};
use crate::{await_some, root};

/// Debian's Alertmanager reads its templates from `/usr/share/prometheus` whatever it is told: those of the package are
/// laid over, for it alone.
const WITH_TEMPLATES: &str =
    "mount -t overlay -o \"lowerdir=$1/usr/share:/usr/share\" overlay /usr/share && shift && exec \"$@\"";

/// How long one of the two may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The job that has the password.
const JOB: &str = "reset-observer";

/// Where the packages are unpacked.
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// As `cargo xtask monitoring` tells.
    pub(crate) fn told() -> Option<Self> {
        env::var_os("LAB_MONITORING").map(|directory| Self(directory.into()))
    }

    /// Prometheus's tool for checks.
    pub(crate) fn promtool(&self) -> PathBuf {
        self.0.join("usr/bin/promtool")
    }

    /// Where Python finds Prometheus's client library.
    pub(crate) fn python(&self) -> PathBuf {
        self.0.join("usr/lib/python3/dist-packages")
    }
}

/// Both, while they run.
pub(crate) struct Monitoring {
    prometheus: Child,
    _alertmanager: Child,
    address: SocketAddr,
    _scratch: TempDir,
}

impl Monitoring {
    /// Scrapes `daemon` twice a second by TLS and password, with the rules of `deploy/prometheus` sixty times as fast, and
    /// sends alerts to `webhook`.
    pub(crate) fn start(programs: &Programs, daemon: &Secured, webhook: SocketAddr) -> Result<Self> {
        Self::start_with(programs, daemon, webhook, &[])
    }

    /// The same with more flags for Prometheus.
    pub(crate) fn start_with(
        programs: &Programs,
        daemon: &Secured,
        webhook: SocketAddr,
        flags: &[&str],
    ) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let (address, alerts) = (free_address()?, free_address()?);
        let alertmanager = start_alertmanager(programs, &scratch, alerts, webhook)?;
        let file = scratch.path().join("prometheus.yml");
        let rules = scratch.path().join("rules.yml");
        fs::write(&rules, hastened(&fs::read_to_string(root().join("deploy/prometheus/rules.yaml"))?))?;
        fs::write(&file, configuration(daemon, &rules, alerts))?;
        let launch = Launch::new("prometheus", programs.0.join("usr/bin/prometheus")).args(flags);
        let launch = launch.arg(format!("--config.file={}", file.display()));
        let launch = launch.arg(format!("--storage.tsdb.path={}", scratch.path().join("data").display()));
        let prometheus = launch.arg(format!("--web.listen-address={address}")).start()?;
        let monitoring = Self { prometheus, _alertmanager: alertmanager, address, _scratch: scratch };
        let ready = || Ok(get(address, "/-/ready").ok());
        await_some(PATIENCE, ready)?.with_context(|| format!("no Prometheus: {:#?}", monitoring.complaints()))?;
        Ok(monitoring)
    }

    /// Waits until the daemon is scraped, by who has the password and by nobody else.
    pub(crate) fn wait_for_scrapes(&self) -> Result<()> {
        self.wait_for(&format!("up{{job=\"{JOB}\"}} == 1 and on() up{{job=\"stranger\"}} == 0"), PATIENCE)
    }

    /// What a query gives now.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let body = get(self.address, &format!("/api/v1/query?query={}", encoded(expression)))?;
        let mut answer: Value = serde_json::from_str(&body)?;
        ensure!(answer["status"] == "success", "{expression}: {answer}");
        serde_json::from_value(answer["data"]["result"].take()).context("not a list of series")
    }

    /// Waits until a query gives something.
    pub(crate) fn wait_for(&self, expression: &str, patience: Duration) -> Result<()> {
        let found = await_some(patience, || Ok(Some(self.query(expression)?).filter(|found| !found.is_empty())))?;
        let pending = || self.query("{__name__=~\"ALERTS|reset_observer_verdicts_total\"} > 0");
        found.map(drop).with_context(|| format!("nothing for {expression}; there is {:#?}", pending()))
    }

    fn complaints(&self) -> Vec<String> {
        self.prometheus.stderr.all()
    }
}

fn start_alertmanager(programs: &Programs, scratch: &TempDir, at: SocketAddr, webhook: SocketAddr) -> Result<Child> {
    let file = scratch.path().join("alertmanager.yml");
    let text = format!(
        "route: {{ receiver: lab, group_by: [alertname], group_wait: 100ms, group_interval: 1s }}\n\
         receivers:\n  - name: lab\n    webhook_configs: [{{ url: \"http://{webhook}/\" }}]\n"
    );
    fs::write(&file, text)?;
    let launch = Launch::new("alertmanager", "unshare").args(["--mount", "sh", "-c", WITH_TEMPLATES, "mount"]);
    let launch = launch.arg(&programs.0).arg(programs.0.join("usr/bin/prometheus-alertmanager"));
    let launch = launch.arg(format!("--config.file={}", file.display())).arg("--cluster.listen-address=");
    let launch = launch.arg(format!("--storage.path={}", scratch.path().join("alerts").display()));
    let alertmanager = launch.arg(format!("--web.listen-address={at}")).start()?;
    let ready = await_some(PATIENCE, || Ok(get(at, "/-/ready").ok()))?;
    ready.with_context(|| format!("no Alertmanager: {:#?}", alertmanager.stderr.all()))?;
    Ok(alertmanager)
}

/// One job scrapes as it should; the other has no password.
fn configuration(daemon: &Secured, rules: &Path, alerts: SocketAddr) -> String {
    let (address, certificate) = (daemon.address(), daemon.certificate());
    let job = |name: &str, password: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    static_configs: [{{ targets: [\"{address}\"] }}]\n\
             \x20   tls_config: {{ ca_file: \"{}\", server_name: localhost }}\n{password}",
            certificate.display()
        )
    };
    let password = format!("    basic_auth: {{ username: {USER}, password: \"{PASSWORD}\" }}\n");
    format!(
        "global: {{ scrape_interval: 500ms, evaluation_interval: 500ms }}\n\
         rule_files: [\"{}\"]\n\
         alerting:\n  alertmanagers: [{{ static_configs: [{{ targets: [\"{alerts}\"] }}] }}]\n\
         scrape_configs:\n{}{}",
        rules.display(),
        job(JOB, &password),
        job("stranger", "")
    )
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let response = Client::on_host(address)?.get(path)?;
    ensure!(response.status == 200, "{path}: {} {}", response.status, response.body);
    Ok(response.body)
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        // Writing to a string cannot fail.
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}
