//! Decides the cause of one case: ordered rules, one small function each; the first that applies decides.
//!
//! Pure. The order matters: what is certain comes before what is likely, and what excludes other causes before what
//! only suggests one. Why each rule holds is in `docs/causes` and in the kernel facts it links to.

use crate::{
    correlate::Case,
    verdict::{Cause, Confidence, EvidenceList, Impact},
};

mod backend;
mod conclude;
mod facts;
mod idle;
mod middlebox;
mod proxy;
mod race;
mod raise;

pub use conclude::conclude;
use facts::Facts;

/// What the rules say of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// What it did to a request.
    pub impact: Impact,
    /// What decided it, strongest first.
    pub evidence: EvidenceList,
}

/// One rule: a decision if it applies.
type Rule = fn(&Facts<'_>) -> Option<Decision>;

/// In the order in which they are asked.
const RULES: [Rule; 39] = [
    proxy::worker_died,
    proxy::refused_in_turns,
    proxy::handshake_refused,
    proxy::handshake_given_up,
    proxy::client_reset,
    race::told_to_go_away,
    backend::rejected,
    race::swallowed_after_the_fin,
    race::farewell_met_request,
    proxy::cut_for_a_logged_reason,
    proxy::upload_given_up,
    idle::said_farewell,
    idle::farewells_crossed,
    idle::met_no_socket,
    proxy::reset_by_this_end,
    idle::farewell_left_unread,
    idle::closed_by_this_end_first,
    idle::nothing_outstanding,
    backend::local_process_ended,
    race::closed_while_the_request_crossed,
    backend::turned_away_with_fin,
    race::closed_with_the_request_unread,
    backend::local_peer_aborted,
    middlebox::answered_sooner_than_the_backend_could,
    middlebox::not_sent_by_the_local_backend,
    middlebox::answered_from_elsewhere,
    middlebox::swallowed_by_a_dead_host,
    middlebox::swallowed,
    proxy::waited_for_a_timeout,
    proxy::closed_with_a_request_outstanding,
    idle::farewell_answered,
    backend::vanished,
    backend::turned_away,
    race::reset_at_the_learned_timeout,
    middlebox::reset_short_of_the_learned_timeout,
    middlebox::reset_of_an_idle_connection,
    backend::aborted,
    backend::aborted_in_use,
    idle::response_ended_with_the_connection,
];

/// Decides. A case that no rule reaches is `unknown`, with the evidence that there is.
#[must_use]
pub fn classify(case: &Case) -> Decision {
    let facts = Facts::of(case);
    RULES.iter().find_map(|rule| rule(&facts)).unwrap_or_else(|| Decision {
        cause: Cause::Unknown,
        confidence: Confidence::Low,
        impact: facts.impact(),
        evidence: facts.evidence(),
    })
}

#[cfg(test)]
mod tests;
