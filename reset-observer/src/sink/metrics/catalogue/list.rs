//! The metrics themselves.

use super::{
    Description,
    Kind::{Counter, Gauge, Histogram},
};

pub(crate) const RESETS: Description = Description::new(
    "reset_observer_resets_total",
    Counter,
    &["direction", "leg"],
    "TCP resets on this host, counted exactly by the kernel; leg other holds those without details",
)
.noting("Every reset that this host sent or received. A reset joins its leg once its verdict is in.");

pub(crate) const SENT_BY_REASON: Description = Description::new(
    "reset_observer_resets_sent_by_reason_total",
    Counter,
    &["reason"],
    "TCP resets that this host sent, counted exactly by the kernel, by its own reason; none before Linux 6.10",
)
.noting("A series appears with its first reset.");

pub(crate) const VERDICTS: Description = Description::new(
    "reset_observer_verdicts_total",
    Counter,
    &["cause", "impact", "leg", "upstream", "server"],
    "Connections that ended, by what ended them",
)
.noting(
    "Each series carries an exemplar with the `verdict_id` of its newest verdict, which is `id` in the JSON line and in \
     `/api/v1/verdicts`. Connections without a known server have empty `upstream` and `server`, and those series exist at \
     zero for each cause; the series of a server appears with its first verdict, so that its first one is no increase to \
     Prometheus: the alerts of deploy/prometheus count a series that was not there before with its whole value.",
);

pub(crate) const WORKER_VERDICTS: Description = Description::new(
    "reset_observer_worker_verdicts_total",
    Counter,
    &["worker", "cause"],
    "Connections of an nginx worker that ended, by its position among all workers of this host",
)
.noting(
    "Upstream connections only. Workers are numbered through all instances of nginx on this host, and one that replaces \
     another after a reload or its death takes over its number. The series of the workers that ran at the start exist at zero for each cause. Divided by \
     worker, it shows when one worker alone is hit.",
);

pub(crate) const EPISODES: Description = Description::new(
    "reset_observer_episodes_total",
    Counter,
    &["cause", "upstream", "server"],
    "Crashes and restarts of upstream servers, and times when they refused, once they are over",
)
.noting("Each once, however many connections it cut. A series appears with its first episode.");

pub(crate) const IDLE_BEFORE_REQUEST: Description = Description::new(
    "reset_observer_idle_before_request_seconds",
    Histogram,
    &["cause"],
    "How long a connection had been idle before the request that hit its end",
)
.noting(
    "Beside round numbers the bounds are idle timeouts in use: 5 s (Node, Apache), 60 s and 75 s (nginx), 240 s (Azure), \
     350 s (AWS NLB), 600 s (Google Cloud). Each bucket carries an exemplar with a `verdict_id`.",
);

pub(crate) const UPSTREAM_IDLE_TIMEOUT: Description = Description::new(
    "reset_observer_upstream_idle_timeout_seconds",
    Gauge,
    &["upstream", "server", "side"],
    "How long an idle connection is kept, as learned on the backend's side, as configured on nginx's",
)
.noting("Servers beyond the bound have no series: one timeout for many would mean nothing.");

pub(crate) const KEEPALIVE_MISMATCH: Description = Description::new(
    "reset_observer_keepalive_mismatch",
    Gauge,
    &["upstream", "server"],
    "Whether nginx keeps idle connections to a server for longer than the server does, 1 or 0",
)
.noting("While it is 1, a keepalive race is a matter of time.");

pub(crate) const UPSTREAM_SERVERS: Description =
    Description::new("reset_observer_upstream_servers", Gauge, &[], "Upstream servers that have series of their own");

pub(crate) const UPSTREAM_SERVERS_MAX: Description = Description::new(
    "reset_observer_upstream_servers_max",
    Gauge,
    &[],
    "Upstream servers that can have series of their own; the rest is counted as other",
);

pub(crate) const ERROR_LOG_JOINS: Description = Description::new(
    "reset_observer_error_log_joins_total",
    Counter,
    &["result"],
    "Ends of upstream connections of which nginx may write a line in its error log, by what was found of that line",
);

pub(crate) const ERROR_LOG_LINES_LEFT: Description = Description::new(
    "reset_observer_error_log_lines_left_total",
    Counter,
    &["reason"],
    "Lines in nginx's error log on ends of upstream connections that were joined to none, by the reason",
);

pub(crate) const SERVERS_FORGOTTEN: Description = Description::new(
    "reset_observer_servers_forgotten_total",
    Counter,
    &[],
    "Servers forgotten for want of room though something had been learned of them",
);

pub(crate) const RECORDS_LOST: Description = Description::new(
    "reset_observer_records_lost_total",
    Counter,
    &["stage"],
    "Records that were lost on the way from the kernel, or left out because they repeat what is known",
)
.noting(
    "What is lost here is missing among verdicts, never in `reset_observer_resets_total`, but for stage `program`.",
);

pub(crate) const OTLP_VERDICTS: Description = Description::new(
    "reset_observer_otlp_verdicts_total",
    Counter,
    &["fate"],
    "Verdicts for the collector of --otlp-endpoint, by what became of them",
)
.noting("In a program without that flag, or without an endpoint, all are zero.");

pub(crate) const PROGRAM_ATTACHED: Description = Description::new(
    "reset_observer_program_attached",
    Gauge,
    &["program"],
    "Kernel programs that are attached, 1 each",
);

pub(crate) const PROGRAM_RUN_SECONDS: Description = Description::new(
    "reset_observer_program_run_seconds_total",
    Counter,
    &["program"],
    "How long the kernel programs ran, while the kernel keeps statistics (--kernel.program-stats)",
);

pub(crate) const PROGRAM_RUNS: Description = Description::new(
    "reset_observer_program_runs_total",
    Counter,
    &["program"],
    "How often the kernel programs ran, while the kernel keeps statistics (--kernel.program-stats)",
);

pub(crate) const KERNEL_FEATURE: Description = Description::new(
    "reset_observer_kernel_feature",
    Gauge,
    &["feature"],
    "Whether the running kernel offers an optional feature, 1 or 0",
)
.noting("What each is good for is in [kernel-support.md](kernel-support.md).");

pub(crate) const SANDBOX: Description = Description::new(
    "reset_observer_sandbox",
    Gauge,
    &["measure"],
    "Whether a right that is not needed any more was given up, 1 or 0",
);

pub(crate) const CONFIG_RELOAD_SUCCESSFUL: Description = Description::new(
    "reset_observer_config_last_reload_successful",
    Gauge,
    &["file"],
    "Whether a configuration file was taken over when it was last read, 1 or 0",
)
.noting("While it is 0 the settings of before hold, and the log says what is wrong with the file.");

pub(crate) const BUILD: Description =
    Description::new("reset_observer_build_info", Gauge, &["version", "arch"], "Version of the program, always 1");

pub(crate) const PROCESS_CPU: Description = Description::new(
    "process_cpu_seconds_total",
    Counter,
    &[],
    "Processor time of this process in seconds, user and system",
);

pub(crate) const PROCESS_RESIDENT: Description =
    Description::new("process_resident_memory_bytes", Gauge, &[], "Memory of this process that is resident, in bytes");

pub(crate) const PROCESS_VIRTUAL: Description =
    Description::new("process_virtual_memory_bytes", Gauge, &[], "Address space of this process, in bytes");

pub(crate) const PROCESS_OPEN_FDS: Description =
    Description::new("process_open_fds", Gauge, &[], "File descriptors that this process has open");

pub(crate) const PROCESS_MAX_FDS: Description =
    Description::new("process_max_fds", Gauge, &[], "File descriptors that this process may have open");

pub(crate) const PROCESS_THREADS: Description =
    Description::new("process_threads", Gauge, &[], "Threads of this process");

pub(crate) const PROCESS_START: Description =
    Description::new("process_start_time_seconds", Gauge, &[], "When this process started, in seconds since 1970");

/// Every metric, in the order of the exposition.
pub(crate) const ALL: [&Description; 29] = [
    &RESETS,
    &SENT_BY_REASON,
    &VERDICTS,
    &WORKER_VERDICTS,
    &EPISODES,
    &IDLE_BEFORE_REQUEST,
    &UPSTREAM_IDLE_TIMEOUT,
    &KEEPALIVE_MISMATCH,
    &UPSTREAM_SERVERS,
    &UPSTREAM_SERVERS_MAX,
    &ERROR_LOG_JOINS,
    &ERROR_LOG_LINES_LEFT,
    &SERVERS_FORGOTTEN,
    &RECORDS_LOST,
    &OTLP_VERDICTS,
    &PROGRAM_ATTACHED,
    &PROGRAM_RUN_SECONDS,
    &PROGRAM_RUNS,
    &KERNEL_FEATURE,
    &SANDBOX,
    &CONFIG_RELOAD_SUCCESSFUL,
    &BUILD,
    &PROCESS_CPU,
    &PROCESS_RESIDENT,
    &PROCESS_VIRTUAL,
    &PROCESS_OPEN_FDS,
    &PROCESS_MAX_FDS,
    &PROCESS_THREADS,
    &PROCESS_START,
];
