//! What to change, as a sentence with directives and numbers.

use crate::{classify::Decision, correlate::Case, record::Exit, verdict::Cause};

mod family;
mod limit;
mod middlebox;
mod part;
mod place;
mod pool;
mod span;

use part::{USUAL_LEN, say};
use place::Block;
pub use pool::mismatch;

/// The advice for a decision; `None` where nothing is wrong, or nothing can be said yet.
#[must_use]
pub fn advise(case: &Case, decision: &Decision) -> Option<String> {
    match decision.cause {
        Cause::KeepaliveRace => Some(pool::race(case)),
        Cause::MiddleboxIdleDrop => Some(middlebox::forgot(case)),
        Cause::BackendCrash => Some(crash(case)),
        Cause::BackendRestart => Some(restart(case)),
        Cause::BackendAbort => Some(abort(case)),
        Cause::ConnectionRefused => Some(refused(case)),
        Cause::ConnectionLimit => Some(limit::turned_away(case)),
        Cause::ProxyCrash => {
            Some("an nginx worker died: see nginx's error log for `exited on signal`, and suspect its modules".into())
        }
        Cause::ClientAbort | Cause::ProxyTimeout | Cause::IdleClose | Cause::Unknown => None,
    }
}

fn restart(case: &Case) -> String {
    let mut said = String::with_capacity(USUAL_LEN);
    say!(
        &mut said,
        "the backend was stopped with a request in hand: let it finish its requests before it exits, and take it out of ",
        Block(case),
        " before it is stopped",
    );
    said
}

fn refused(case: &Case) -> String {
    let mut said = String::with_capacity(USUAL_LEN);
    let server = case.connection.ends().remote.to_string();
    say!(
        &mut said,
        "nothing listens at ",
        server,
        ": start the backend there, or take the server out of ",
        Block(case)
    );
    said
}

fn crash(case: &Case) -> String {
    let peer = case.peer.as_ref();
    let Some((exit, process)) = peer.and_then(|peer| peer.exit().zip(peer.process())) else {
        return "the backend went away with a request in hand: see its log, its supervisor and its host's kernel log for \
                this time"
            .into();
    };
    let mut said = String::with_capacity(USUAL_LEN);
    say!(&mut said, &process.name, " (pid ", u64::from(process.pid), ")");
    match exit {
        Exit::Signal(9) => say!(
            &mut said,
            " was killed (SIGKILL) with a request in hand: look for an out-of-memory kill in the kernel's log (dmesg), and \
             for who else sends it",
        ),
        Exit::Signal(_) | Exit::Status(_) => say!(
            &mut said,
            " died (",
            exit.to_string(),
            ") with a request in hand: see its log and core dump for this time",
        ),
    }
    said
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

#[cfg(test)]
mod tests;
