//! Something between nginx and the backend answered, or swallowed, what was meant for the backend.

use std::time::Duration;

use super::{Decision, backend, facts::Facts};
use crate::verdict::{Cause, Confidence, Evidence};

/// No middlebox forgets a connection sooner than this, and few connections in use pause that long.
const IDLE: Duration = Duration::from_secs(1);

/// A reset without a FIN, of a request that the backend's kernel never acknowledged, sooner than the fastest round trip
/// to the backend: whoever answered is nearer.
///
/// A FIN is always sent before the resets of a closed socket, so a backend that had closed would have shown one.
pub(super) fn answered_sooner_than_the_backend_could(facts: &Facts<'_>) -> Option<Decision> {
    let too_soon = lost_without_trace(facts) && facts.sooner_than_rtt_min();
    // The few round trips of a connection on a loaded machine may all have been slow ones. And a backend that resets its
    // idle connections instead of closing them may have done so just then.
    let confidence = match (facts.much_sooner_than_rtt_min(), facts.idle_matches()) {
        (true, false) => Confidence::High,
        (false, false) => Confidence::Medium,
        (true, true) => Confidence::Low,
        (false, true) => return None,
    };
    too_soon.then(|| facts.decide(Cause::MiddleboxIdleDrop, confidence)).flatten()
}

/// The same reset after about one round trip, on a connection that had been idle for well under what the backend is
/// known to keep: the backend had no reason to have closed it.
pub(super) fn reset_short_of_the_learned_timeout(facts: &Facts<'_>) -> Option<Decision> {
    let (timeout, gap) = facts.idle_timeout().zip(facts.idle_before_request())?;
    if !lost_without_trace(facts) || !timeout.is_far_above(gap) {
        return None;
    }
    facts.decide(Cause::MiddleboxIdleDrop, Confidence::Medium)
}

/// The same reset, and nothing is known of the backend's timeout. A backend that closes its idle connections shows a
/// FIN, unless that was lost or the request came in the instant before; one that aborts a request has no reason to wait
/// for an idle connection. A guess, and said to be one.
pub(super) fn reset_of_an_idle_connection(facts: &Facts<'_>) -> Option<Decision> {
    let idle = facts.idle_before_request().is_some_and(|gap| gap >= IDLE);
    let known = facts.idle_timeout().is_some();
    (lost_without_trace(facts) && idle && !known)
        .then(|| facts.decide(Cause::MiddleboxIdleDrop, Confidence::Low))
        .flatten()
}

/// The same reset, and the backend is on this host, whose kernel recorded no reset of its: somebody else sent it.
pub(super) fn not_sent_by_the_local_backend(facts: &Facts<'_>) -> Option<Decision> {
    let forged = lost_without_trace(facts) && facts.peer_never_sent();
    forged.then(|| facts.decide(Cause::MiddleboxIdleDrop, Confidence::High)).flatten()
}

/// The same reset from another distance than the backend's own packets.
pub(super) fn answered_from_elsewhere(facts: &Facts<'_>) -> Option<Decision> {
    let elsewhere = lost_without_trace(facts) && facts.ttl_unlike_syn_ack();
    elsewhere.then(|| facts.decide(Cause::MiddleboxIdleDrop, Confidence::High)).flatten()
}

/// The same silence, and new connections to the server have no answer either: its host is dead, or cut off.
pub(super) fn swallowed_by_a_dead_host(facts: &Facts<'_>) -> Option<Decision> {
    let decision = swallowed(facts).filter(|_| facts.case.server.silent)?;
    Some(Decision { cause: Cause::BackendCrash, confidence: Confidence::Low, ..decision })
}

/// No reset at all: a request on a connection that had been idle was sent again and again until this end gave up. A
/// backend whose host died in that very pause would look the same.
pub(super) fn swallowed(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.sent_in_vain() || facts.reset_received() || facts.fin_seen() || !facts.reused() {
        return None;
    }
    facts.decide_by(Evidence::NobodyAnswered, Cause::MiddleboxIdleDrop, Confidence::Medium)
}

/// A reset of an unacknowledged request, without a FIN before it, that was not seen to come from the backend. Not on a
/// connection in use: nobody forgets that for idleness, and its few round trips so far may all have been slow ones.
fn lost_without_trace(facts: &Facts<'_>) -> bool {
    facts.reset_received()
        && !facts.fin_seen()
        && facts.flight_never_acked()
        && facts.reused()
        && !backend::in_use(facts)
        && !facts.peer_sent()
        && !facts.rst_of_live_socket()
}
