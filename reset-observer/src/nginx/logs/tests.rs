use super::*;

fn targets_of(text: &str) -> Vec<Target> {
    targets(&Running::told(text)).collect()
}

fn file(path: &str) -> Target {
    Target::File(path.into())
}

#[test]
fn without_a_log_outside_all_blocks_the_first_one_counts() {
    assert_eq!(targets_of("http { }"), [file("/var/log/first.log")]);
    let inner = "http { server { error_log /var/log/server.log; } }";
    assert_eq!(targets_of(inner), [file("/var/log/server.log"), file("/var/log/first.log")]);
}

#[test]
fn a_log_outside_all_blocks_takes_the_place_of_the_first_one() {
    assert_eq!(targets_of("error_log /var/log/main.log warn; http { }"), [file("/var/log/main.log")]);
}

#[test]
fn a_log_that_takes_no_errors_tells_of_no_request() {
    let text = "error_log /var/log/main.log crit; http { error_log /var/log/http.log error; }";
    assert_eq!(targets_of(text), [file("/var/log/http.log")]);
}

#[test]
fn what_is_no_file_is_named_as_unavailable() {
    let text = "error_log stderr; error_log syslog:server=10.0.0.9,tag=web; error_log memory:32m debug; http { }";
    let named: Vec<String> = targets_of(text)
        .into_iter()
        .map(|target| match target {
            Target::Unavailable(unavailable) => unavailable.to_string(),
            Target::File(_) | Target::Nowhere => panic!("{target:?}"),
        })
        .collect();
    assert_eq!(named.len(), 3);
    assert!(named[0].contains("stderr") && named[1].contains("syslog:server=10.0.0.9"), "{named:?}");
    assert!(named.iter().all(|named| named.contains("add a second `error_log` directive")), "{named:?}");
}

#[test]
fn the_logs_of_a_process_are_each_followed_once_and_opened_in_its_root() {
    let text = "error_log /etc/passwd; http { error_log /etc/passwd warn; error_log stderr; error_log /dev/null; }";
    let logs = InstanceLogs::of(std::process::id(), &Running::told(text)).unwrap();
    assert_eq!(logs.files, [PathBuf::from("/etc/passwd")]);
    assert_eq!(logs.unavailable.len(), 1);
    assert!((logs.open)(&logs.files[0]).unwrap().metadata().unwrap().is_file());
}

#[test]
fn the_logs_of_a_process_that_is_gone_are_refused() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    assert!(InstanceLogs::of(pid, &Running::told("http { }")).is_err());
}
