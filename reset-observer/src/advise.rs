//! What to change, as a sentence with directives and numbers.

use std::time::Duration;

use crate::{classify::Decision, correlate::Case, record::Exit, verdict::Cause};

/// How much sooner than the other side nginx should close: a fifth, which leaves room for a slow wake-up.
const MARGIN: f64 = 0.8;

/// nginx's default for `keepalive_timeout` in an upstream block ([documentation]).
///
/// [documentation]: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout
const NGINX_DEFAULT: &str = "60s";

/// The advice for a decision; `None` where nothing is wrong, or nothing can be said yet.
#[must_use]
pub fn advise(case: &Case, decision: &Decision) -> Option<String> {
    match decision.cause {
        Cause::KeepaliveRace => Some(keepalive_race(case)),
        Cause::MiddleboxIdleDrop => Some(middlebox(case)),
        Cause::BackendCrash => Some(crash(case)),
        Cause::BackendRestart => Some(
            "the backend was stopped with a request in hand: let it finish its requests before it exits, and take it out \
             of the upstream block before it is stopped"
                .into(),
        ),
        Cause::BackendAbort => Some(abort(case)),
        Cause::ConnectionRefused => Some(format!(
            "nothing listens at {}: start the backend there, or take the server out of the upstream block",
            case.connection.ends().remote
        )),
        Cause::ConnectionLimit => Some(
            "the server turns new connections away: raise its listen backlog (and net.core.somaxconn) or its limit of \
             connections, or set max_conns on the server in the upstream block"
                .into(),
        ),
        Cause::ProxyCrash => {
            Some("an nginx worker died: see nginx's error log for `exited on signal`, and suspect its modules".into())
        }
        Cause::ClientAbort | Cause::ProxyTimeout | Cause::IdleClose | Cause::Unknown => None,
    }
}

fn keepalive_race(case: &Case) -> String {
    let gap = case.connection.snapshot().and_then(|snapshot| snapshot.idle_before_request);
    let where_to = upstream_block(case);
    match case.server.idle_timeout.map(|timeout| timeout.value).or(gap) {
        Some(timeout) => format!(
            "the backend closes idle connections after about {}, and nginx keeps them for {NGINX_DEFAULT} unless told \
             otherwise: set keepalive_timeout {} in {where_to}, or raise the backend's idle timeout above nginx's",
            directive(timeout),
            directive(timeout.mul_f64(MARGIN)),
        ),
        None => format!(
            "the backend closes idle connections sooner than nginx does: set keepalive_timeout in {where_to} below the \
             backend's idle timeout, or raise that above nginx's ({NGINX_DEFAULT} unless set)"
        ),
    }
}

fn middlebox(case: &Case) -> String {
    let where_to = upstream_block(case);
    let gap = case.connection.snapshot().and_then(|snapshot| snapshot.idle_before_request);
    let Some(gap) = gap else {
        return format!(
            "a firewall, NAT or load balancer between nginx and the backend forgets idle connections: set \
             keepalive_timeout in {where_to} below its idle timeout, or raise that"
        );
    };
    format!(
        "a firewall, NAT or load balancer between nginx and the backend forgot the connection within {} of idleness: \
         raise its idle timeout, or set keepalive_timeout {} or less in {where_to}",
        directive(gap),
        directive(gap.mul_f64(MARGIN)),
    )
}

fn crash(case: &Case) -> String {
    let peer = case.peer.as_ref();
    let process = peer.and_then(|peer| peer.process()).map(|process| format!("{} (pid {})", process.name, process.pid));
    match (peer.and_then(|peer| peer.exit()), process) {
        (Some(Exit::Signal(9)), Some(process)) => format!(
            "{process} was killed (SIGKILL) with a request in hand: look for an out-of-memory kill in the kernel's log \
             (dmesg), and for who else sends it"
        ),
        (Some(exit), Some(process)) => {
            format!("{process} died ({exit}) with a request in hand: see its log and core dump for this time")
        }
        _ => "the backend went away with a request in hand: see its log, its supervisor and its host's kernel log for \
              this time"
            .into(),
    }
}

fn abort(case: &Case) -> String {
    let bytes = case.connection.snapshot().map(|snapshot| snapshot.bytes_received);
    match bytes.filter(|_| case.server.size_repeats()) {
        Some(bytes) => format!(
            "the backend runs on and cut this response after {bytes} bytes, headers included, as it did {} times before: \
             look for a limit on the size of responses or of what it relays, and raise it or send less",
            case.server.cuts_at_this_size
        ),
        None => {
            "the backend runs on and cut this one connection: look in its log for this time for an unhandled error, \
                 a limit on the size of bodies, or a time limit of its own"
                .into()
        }
    }
}

fn upstream_block(case: &Case) -> String {
    let name = case.connection.upstream().and_then(|upstream| upstream.name.as_deref());
    name.map_or_else(|| "the upstream block".into(), |name| format!("upstream {name}"))
}

/// A time as nginx reads it: milliseconds below ten seconds, else seconds.
fn directive(time: Duration) -> String {
    let ms = time.as_millis();
    if ms < 10_000 && !ms.is_multiple_of(1000) { format!("{ms}ms") } else { format!("{}s", time.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_nginx_reads_them() {
        assert_eq!(directive(Duration::from_millis(800)), "800ms");
        assert_eq!(directive(Duration::from_secs(4)), "4s");
        assert_eq!(directive(Duration::from_millis(280_300)), "280s");
    }
}
