use super::*;

fn parse(line: &str) -> Result<Cli, String> {
    Cli::try_from_args(line.split_whitespace()).map_err(|error| {
        assert!(!error.use_stderr() || error.exit_code() == 2);
        error.to_string()
    })
}

fn observe(line: &str) -> ObserveArgs {
    match parse(&format!("reset-observer observe {line}")).unwrap().command {
        Command::Observe(args) => args,
        Command::Daemon(_) | Command::Doctor(_) | Command::Explain(_) | Command::Replay(_) => panic!("not observe"),
    }
}

fn daemon(line: &str) -> DaemonArgs {
    match parse(&format!("reset-observer daemon {line}")).unwrap().command {
        Command::Daemon(args) => args,
        Command::Observe(_) | Command::Doctor(_) | Command::Explain(_) | Command::Replay(_) => panic!("not daemon"),
    }
}

fn refusal(line: &str) -> String {
    parse(&format!("reset-observer {line}")).unwrap_err()
}

#[test]
fn the_declaration_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn observe_without_flags_watches_everything_as_a_table() {
    let args = observe("");
    assert!(args.watch.ports.is_empty());
    assert_eq!(args.watch.settle, Duration::from_millis(300));
    assert_eq!(args.watch.ring_size, reset_observer_ebpf::DEFAULT_RING_BYTES);
    assert_eq!((args.output, args.all, args.duration, args.count), (OutputFormat::Table, false, None, None));
}

#[test]
fn every_flag_of_observe_arrives() {
    let args = observe("--port 3000 --port 80 --port 3000 --duration 5m --count 3 --output json --all --settle 1s");
    assert_eq!(args.watch.ports, [80, 3000]);
    assert_eq!(args.watch.settle, Duration::from_secs(1));
    assert_eq!(args.duration, Some(Duration::from_secs(300)));
    assert_eq!(args.count.map(NonZeroU64::get), Some(3));
    assert_eq!((args.output, args.all), (OutputFormat::Json, true));
}

#[test]
fn a_report_is_of_one_session_and_replaces_an_older_one_only_when_told() {
    let args = observe("--report out.html").report;
    assert_eq!((args.report, args.report_overwrite), (Some("out.html".into()), false));
    assert!(observe("--report out.html --report-overwrite").report.report_overwrite);
    assert!(refusal("observe --report-overwrite").contains("--report <FILE.html>"));
    for other in ["--compare a.rec b.rec", "--redacted-copy c.rec a.rec"] {
        assert!(refusal(&format!("replay --report out.html {other}")).contains("cannot be used with"), "{other}");
    }
    assert!(refusal("daemon --report out.html").contains("--report"), "it has a page");
}

#[test]
fn a_port_outside_its_range_is_refused_with_the_range() {
    for port in ["0", "70000", "-1", "http"] {
        let message = refusal(&format!("observe --port={port}"));
        assert!(message.contains("--port") && message.contains(port), "{message}");
    }
    assert!(refusal("observe --port 70000").contains("1..=65535"));
}

#[test]
fn more_ports_than_the_kernel_side_compares_are_refused_with_a_way_out() {
    let ports = |count: u16| (1..=count).map(|port| format!("--port {port}")).collect::<Vec<_>>().join(" ");
    assert_eq!(observe(&ports(16)).watch.ports.len(), 16);
    let message = refusal(&format!("observe {}", ports(17)));
    assert!(message.contains("17 ports given, at most 16"), "{message}");
    assert!(message.contains("leave out --port"), "{message}");
}

#[test]
fn a_time_needs_a_unit_and_a_range() {
    assert!(refusal("observe --duration 60").contains("300ms, 60s or 5m"));
    assert!(refusal("observe --settle 5ms").contains("from 10ms to 1m"), "{}", refusal("observe --settle 5ms"));
    assert!(refusal("observe --settle 61s").contains("from 10ms to"));
    assert!(refusal("observe --duration=-5s").contains("from 100ms to 720h"), "{}", refusal("observe --duration=-5s"));
    assert!(refusal("daemon --settle 1y").contains("not a time"));
}

#[test]
fn count_is_at_least_one() {
    assert!(refusal("observe --count 0").contains("--count"));
}

#[test]
fn the_daemon_listens_on_loopback_unless_told() {
    assert_eq!(daemon("").listen_address, "127.0.0.1:9924".parse().unwrap());
    assert_eq!(daemon("--web.listen-address :9000").listen_address, "[::]:9000".parse().unwrap());
    assert_eq!(daemon("--web.listen-address [::1]:9000").listen_address, "[::1]:9000".parse().unwrap());
    assert!(refusal("daemon --web.listen-address nonsense").contains("127.0.0.1:9924"));
}

#[test]
fn the_daemon_keeps_no_program_statistics_unless_told() {
    assert!(!daemon("").program_stats);
    assert!(daemon("--kernel.program-stats").program_stats);
}

#[test]
fn doctor_prints_a_table_unless_told() {
    for (line, expected) in [("doctor", OutputFormat::Table), ("doctor --output json", OutputFormat::Json)] {
        let Command::Doctor(args) = parse(&format!("reset-observer {line}")).unwrap().command else {
            panic!("not doctor")
        };
        assert_eq!(args.output, expected);
    }
}

#[test]
fn the_log_level_may_stand_before_or_after_the_command() {
    for line in ["--log.level debug observe", "observe --log.level debug"] {
        assert_eq!(parse(&format!("reset-observer {line}")).unwrap().log_level, LogLevel::Debug);
    }
}

#[test]
fn unknown_flags_and_no_command_are_bad_usage() {
    assert!(refusal("observe --prot 80").contains("--port"));
    assert!(refusal("").contains("observe"));
}

#[test]
fn help_says_which_question_is_answered_and_shows_examples() {
    let help = refusal("--help");
    assert!(help.contains("keepalive race") && help.contains("observe --port 3000"), "{help}");
}

#[test]
fn other_programs_are_named_one_by_one_and_bad_names_are_refused() {
    let Command::Daemon(args) = parse("reset-observer daemon --process haproxy --process envoy").unwrap().command
    else {
        panic!("not daemon")
    };
    assert_eq!(args.watch.processes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["haproxy", "envoy"]);
    assert!(refusal("observe --process /usr/sbin/haproxy").contains("such as haproxy"));
    assert!(refusal("observe --process=").contains("needs a name"), "{}", refusal("observe --process="));
}

#[test]
fn a_cause_and_a_piece_of_evidence_can_be_explained() {
    let topic = |line: &str| match parse(line).unwrap().command {
        Command::Explain(args) => args.topic.map(Topic::name),
        Command::Observe(_) | Command::Daemon(_) | Command::Doctor(_) | Command::Replay(_) => panic!("not explain"),
    };
    assert_eq!(topic("reset-observer explain"), None);
    assert!(Topic::all().all(|each| topic(&format!("reset-observer explain {}", each.name())) == Some(each.name())));
}

#[test]
fn an_unknown_cause_is_refused_with_the_nearest_one() {
    let message = refusal("explain keepalive");
    assert!(message.contains("a similar value exists: 'keepalive_race'"), "{message}");
}

#[test]
fn what_is_learned_is_kept_where_it_is_asked_for_and_observe_keeps_nothing_unasked() {
    let place = |args: &[&str]| {
        let cli = Cli::try_from_args([&["reset-observer"], args].concat()).unwrap();
        let (Command::Observe(ObserveArgs { watch, .. }) | Command::Daemon(DaemonArgs { watch, .. })) = cli.command
        else {
            panic!("neither observe nor daemon")
        };
        watch.state_file
    };
    let asked = place(&["daemon", "--state-file", "/tmp/learned.json"]);
    let file = StatePlace::or_usual(asked.as_ref()).unwrap();
    assert_eq!(file.path().to_str(), Some("/tmp/learned.json"));
    assert!(StatePlace::or_usual(place(&["daemon", "--state-file", "none"]).as_ref()).is_none());
    assert!(StatePlace::asked_for(place(&["observe"]).as_ref()).is_none());
}
