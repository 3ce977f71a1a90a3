//! Something between nginx and the backend answered, or swallowed, what was meant for the backend.

use std::time::Duration;

use super::{Decision, facts::Facts};
use crate::verdict::{Cause, Confidence};

/// No middlebox forgets a connection sooner than this, and few connections in use pause that long.
const IDLE: Duration = Duration::from_secs(1);

/// A reset without a FIN, of a request that the backend's kernel never acknowledged, sooner than the fastest round trip
/// to the backend: whoever answered is nearer.
///
/// A FIN is always sent before the resets of a closed socket, so a backend that had closed would have shown one.
pub(super) fn answered_sooner_than_the_backend_could(facts: &Facts<'_>) -> Option<Decision> {
    let too_soon = lost_without_trace(facts) && facts.sooner_than_rtt_min();
    // A backend that resets its idle connections instead of closing them may have done so just then.
    let confidence = if facts.idle_matches() { Confidence::Low } else { Confidence::High };
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

fn lost_without_trace(facts: &Facts<'_>) -> bool {
    facts.reset_received() && !facts.fin_seen() && facts.flight_never_acked() && facts.reused() && !facts.peer_sent()
}
