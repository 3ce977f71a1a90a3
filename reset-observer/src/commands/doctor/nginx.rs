//! Whether nginx is in sight.

use std::net::SocketAddr;

use crate::{
    nginx::{
        processes::NginxProcesses,
        sockets::{Denied, NginxSockets},
    },
    sink::checks::{Check, Finding},
};

/// How many addresses to name before the rest is only counted.
const NAMED: usize = 8;

/// What of nginx runs and where it listens.
pub(super) fn found() -> Check {
    let processes = NginxProcesses::scan();
    let sockets = NginxSockets::scan(&processes);
    let addresses: Vec<SocketAddr> = sockets.addresses().into_iter().collect();
    let denied: Vec<Denied> = sockets.denied().iter().copied().collect();
    let finding = finding(processes.masters(), processes.workers(), &addresses, &denied);
    say_source(Check::optional("nginx", finding), sockets.without_sock_diag())
}

/// Adds where the sockets were read, if not from sock_diag.
fn say_source(check: Check, without_sock_diag: Option<&str>) -> Check {
    let Some(reason) = without_sock_diag else { return check };
    let found = format!("{}; its sockets are read from /proc/PID/net/tcp, which takes longer: {reason}", check.found);
    Check { found, ..check }
}

fn finding(masters: usize, workers: usize, addresses: &[SocketAddr], denied: &[Denied]) -> Finding {
    if masters + workers == 0 {
        return Finding::missing(
            "no nginx is running in sight: connections of other programs can be observed all the same",
            "start nginx; in a container, share the host's process ids (hostPID: true, --pid=host); on a host that \
             mounts /proc with hidepid, run this as root",
        );
    }
    let running = format!("{}, {}", counted(masters, "master"), counted(workers, "worker"));
    if denied.is_empty() {
        return Finding::ok(format!("{running}, listening on {}", listed(addresses)));
    }
    let (reasons, remedies): (Vec<&str>, Vec<&str>) =
        denied.iter().map(|one| one.sentence().split_once(": ").unwrap_or((one.sentence(), "grant it"))).unzip();
    Finding::unknown(format!("{running}; {}", reasons.join("; ")), remedies.join("; "))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn listed(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return "no TCP address".to_owned();
    }
    let named: Vec<String> = addresses.iter().take(NAMED).map(SocketAddr::to_string).collect();
    let rest = addresses.len().saturating_sub(NAMED);
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::checks::State;

    fn check(masters: usize, workers: usize, addresses: &[&str], denied: &[Denied]) -> Check {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Check::optional("nginx", finding(masters, workers, &addresses, denied))
    }

    #[test]
    fn nginx_is_counted_and_its_addresses_named() {
        let found = check(1, 2, &["0.0.0.0:80", "[::]:443"], &[]).found;
        assert_eq!(found, "1 master, 2 workers, listening on 0.0.0.0:80, [::]:443");
    }

    #[test]
    fn many_addresses_are_counted_at_the_end() {
        let many = vec!["10.0.0.1:80"; 11];
        assert!(check(1, 1, &many, &[]).found.ends_with("10.0.0.1:80 and 3 more"));
    }

    #[test]
    fn without_nginx_the_line_says_what_to_do_in_a_container() {
        let check = check(0, 0, &[], &[]);
        assert_eq!(check.state, State::Missing);
        assert!(check.remedy.is_some_and(|remedy| remedy.contains("hostPID")));
    }

    #[test]
    fn sockets_that_sock_diag_does_not_list_are_said_to_be_read_from_proc() {
        let found = |reason| say_source(check(1, 1, &["0.0.0.0:80"], &[]), reason).found;
        assert_eq!(found(None), "1 master, 1 worker, listening on 0.0.0.0:80");
        let says = "0.0.0.0:80; its sockets are read from /proc/PID/net/tcp, which takes longer: entering is refused";
        assert!(found(Some("entering is refused")).ends_with(says));
    }

    #[test]
    fn what_proc_would_not_tell_is_unknown_with_the_capability_that_brings_it() {
        let check = check(1, 2, &[], &[Denied::FileDescriptors]);
        assert_eq!(check.state, State::Unknown);
        assert!(check.found.starts_with("1 master, 2 workers; cannot read the file descriptors"), "{}", check.found);
        assert_eq!(check.remedy.as_deref(), Some("grant CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"));
    }
}
