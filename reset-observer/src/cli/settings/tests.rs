use std::io::Write as _;

use tempfile::NamedTempFile;

use super::*;
use crate::cli::{Command, DaemonArgs, LogLevel, RstPackets};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn line(file: &NamedTempFile, more: &str) -> Vec<OsString> {
    let line = format!("reset-observer daemon --config {} {more}", file.path().display());
    line.split_whitespace().map(OsString::from).collect()
}

fn cli(text: &str, more: &str) -> Cli {
    Cli::try_from_args(line(&file(text), more)).unwrap()
}

fn daemon(text: &str, more: &str) -> DaemonArgs {
    match cli(text, more).command {
        Command::Daemon(args) => args,
        Command::Observe(_) | Command::Doctor(_) | Command::Explain(_) | Command::Replay(_) => panic!("not daemon"),
    }
}

/// What is said of this text, without the file's name.
fn mistake(text: &str) -> String {
    let file = file(text);
    let error = Cli::try_from_args(line(&file, "")).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let said = error.to_string();
    let said = said.strip_prefix(&format!("error: {}:", file.path().display())).unwrap_or_else(|| panic!("{said}"));
    said.lines().next().unwrap().to_owned()
}

#[test]
fn every_kind_of_key_arrives() {
    let text = "port: [3000, 80]\nprocess: haproxy\nsettle: 1s\nrst-packets: cgroup\nring-size: 4MiB\n\
                web.listen-address: 0.0.0.0:9999\nkernel.program-stats: true\nlog.level: warn\nstate-file: none\n";
    let args = daemon(text, "");
    assert_eq!(args.watch.ports, [80, 3000]);
    assert_eq!(args.watch.processes.len(), 1);
    assert_eq!(args.watch.settle.as_secs(), 1);
    assert_eq!((args.watch.rst_packets, args.watch.ring_size), (RstPackets::Cgroup, 4 << 20));
    assert_eq!(args.listen_address.port(), 9999);
    assert!(args.program_stats);
    assert_eq!(cli(text, "").log_level, LogLevel::Warn);
}

#[test]
fn a_flag_counts_more_than_the_file() {
    let args = daemon("port: [3000]\nsettle: 1s\n", "--port 80 --settle 2s");
    assert_eq!((args.watch.ports, args.watch.settle.as_secs()), (vec![80], 2));
    assert_eq!(cli("log.level: warn\n", "--log.level debug").log_level, LogLevel::Debug);
    let before = file("log.level: warn\n");
    let line = format!("reset-observer --log.level debug daemon --config {}", before.path().display());
    let cli = Cli::try_from_args(line.split(' ')).unwrap();
    assert_eq!(cli.log_level, LogLevel::Debug, "also before the command");
}

#[test]
fn an_empty_file_and_a_switch_that_is_off_change_nothing() {
    assert!(!daemon("", "").program_stats);
    assert!(!daemon("kernel.program-stats: false\n", "").program_stats);
}

#[test]
fn a_misspelt_key_is_told_with_line_and_suggestion() {
    assert_eq!(mistake("port: 3000\nsetle: 1s\n"), "2:1: unknown key \"setle\": did you mean settle?");
    assert!(mistake("web:\n  listen-address: x\n").starts_with("1:1: unknown key \"web\""));
    assert!(mistake("config: other.yml\n").contains("unknown key"));
}

#[test]
fn a_bad_value_is_told_with_its_place_by_the_flags_own_words() {
    assert_eq!(
        mistake("settle: 1s\nport:\n  - 3000\n  - 70000\n"),
        "4:5: invalid value '70000' for '--port <PORT>': 70000 is not in 1..=65535"
    );
    assert!(mistake("settle: 5\n").starts_with("1:9: invalid value '5' for '--settle <TIME>'"));
    assert!(mistake("kernel.program-stats: yes\n").contains("write true or false"));
    assert!(mistake("settle: [1s, 2s]\n").contains("one value is wanted here, not a list"));
    assert!(mistake("settle:\n").contains("a value is missing"));
    assert!(mistake("port: 3000\nport: 80\n").starts_with("2:1: \"port\" is given twice"));
    assert!(mistake("rst-packets: cgruop\n").contains("cgruop"));
}

#[test]
fn a_wrong_value_in_the_file_is_told_also_where_a_flag_counts_more() {
    let file = file("settle: 5\n");
    assert!(Cli::try_from_args(line(&file, "--settle 1s")).is_err());
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let error = Cli::try_from_args(["reset-observer", "daemon", "--config", "/nonexistent.yml"]).unwrap_err();
    assert!(error.to_string().contains("cannot read /nonexistent.yml"), "{error}");
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let original = file("port: [3000]\nweb.listen-address: \":9999\"\nkernel.program-stats: true\n");
    let settings = Settings::of(line(&original, "--settle 1s")).unwrap();
    let printed = settings.to_string();
    assert!(printed.contains("settle: 1s  # flag\n"), "{printed}");
    assert!(printed.contains(&format!("port: [3000]  # {}:1\n", original.path().display())), "{printed}");
    assert!(printed.contains("log.level: info  # default\n"), "{printed}");
    assert!(printed.contains("# state-file: is not set\n"), "{printed}");
    let again = Settings::of(line(&file(&printed), "")).unwrap();
    assert_eq!(again.changes(&settings), []);
}

#[test]
fn odd_texts_survive_being_printed() {
    for text in ["a b", "true", "", "x: y", "#", "\"q\\", "[::1]:9", "-", "a\nb", "~"] {
        let node = parse(&format!("key: {}", quoted(text))).unwrap();
        assert_eq!(Mapping::of(&node, &["key"]).unwrap().text("key").unwrap(), Some(text));
    }
}

#[test]
fn changes_are_told_key_by_key() {
    let settings = |text: &str| Settings::of(line(&file(text), "")).unwrap();
    let (before, after) = (settings("port: [80]\n"), settings("port: [80, 81]\nlog.level: debug\n"));
    let changes = after.changes(&before);
    assert_eq!(changes, [("log.level", "info".into(), "debug".into()), ("port", "[80]".into(), "[80, 81]".into())]);
}
