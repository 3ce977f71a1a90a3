//! What was found, and the decisions that rest on it.

use super::Facts;
use crate::{
    classify::Decision,
    record::Exit,
    verdict::{Cause, Confidence, Evidence, EvidenceList, Impact},
};

impl Facts<'_> {
    /// Everything found, strongest first.
    pub(in crate::classify) fn evidence(&self) -> EvidenceList {
        self.evidence_after(None)
    }

    /// The same after what only a rule itself knows.
    fn evidence_after(&self, first: Option<Evidence>) -> EvidenceList {
        let exit = self.peer_exit();
        let gap_far = self.idle_timeout().zip(self.idle_before_request());
        let found = [
            (exit.is_some_and(|exit| !exit.in_good_order()), Evidence::LocalProcessCrashed),
            (exit.is_some_and(Exit::in_good_order), Evidence::LocalProcessEnded),
            (self.fin_seen(), Evidence::FinSeen),
            (self.written_after_fin(), Evidence::WrittenAfterFin),
            (self.flight_never_acked(), Evidence::FlightNeverAcked),
            (self.acked_without_response(), Evidence::RequestAcked),
            (self.log_says_cut(), Evidence::LogSaysCut),
            (self.log_says_timed_out(), Evidence::LogSaysTimedOut),
            (self.log_says_client_left(), Evidence::LogSaysClientLeft),
            (self.request_unseen() || self.farewell_met_request(), Evidence::LogSaysUnanswered),
            (self.log_says_went_away(), Evidence::LogSaysWentAway),
            (self.log_says_rejected(), Evidence::LogSaysRejected),
            (self.ended_by_this_end() && self.log_says_response_refused(), Evidence::LogSaysResponseRefused),
            (self.case.connection.abandoned().is_some(), Evidence::ClosedByProxy),
            (self.waited_timeout(), Evidence::WaitedTimeout),
            (self.response_began(), Evidence::ResponseBegan),
            (self.reused() && self.reuse().is_some(), Evidence::ConnectionReused),
            (self.nothing_received(), Evidence::NothingReceived),
            (self.flight_never_acked() && self.sooner_than_rtt_min(), Evidence::SoonerThanRttMin),
            (self.idle_matches(), Evidence::IdleMatchesLearnedTimeout),
            (gap_far.is_some_and(|(timeout, gap)| timeout.is_far_above(gap)), Evidence::IdleShortOfLearnedTimeout),
            (self.peer_sent() && exit.is_none(), Evidence::LocalPeerSent),
            (self.peer_never_sent() && self.reset_received(), Evidence::LocalPeerNeverSent),
            (self.peer_left_request_unread(), Evidence::RequestLeftUnread),
            (self.case.oom_killed, Evidence::OomKilled),
            (self.ttl_unlike_syn_ack(), Evidence::TtlUnlikeSynAck),
            (self.ttl_unlike_learned(), Evidence::TtlUnlikeLearned),
            (self.case.server.size_repeats(), Evidence::SizeRepeats),
            (self.rst_of_live_socket(), Evidence::RstOfLiveSocket),
            (self.rst_of_unknown_connection(), Evidence::RstOfUnknownConnection),
            (self.case.server.refused, Evidence::ServerRefused),
            (self.case.server.cut_many(), Evidence::CutTogether),
            (self.sent_in_vain() && self.case.server.silent, Evidence::ServerSilent),
        ];
        let mut list: EvidenceList = first.into_iter().collect();
        for (found, evidence) in found {
            if found {
                list.push(evidence);
            }
        }
        list
    }

    /// A decision with everything found as its evidence.
    pub(in crate::classify) fn decide(&self, cause: Cause, confidence: Confidence) -> Option<Decision> {
        Some(Decision { cause, confidence, impact: self.impact(), evidence: self.evidence() })
    }

    /// The same, resting first of all on what only the rule itself knows.
    pub(in crate::classify) fn decide_by(
        &self,
        first: Evidence,
        cause: Cause,
        confidence: Confidence,
    ) -> Option<Decision> {
        let evidence = self.evidence_after(Some(first));
        Some(Decision { cause, confidence, impact: self.impact(), evidence })
    }

    /// A decision that no request was hurt.
    pub(in crate::classify) fn harmless(&self, confidence: Confidence) -> Option<Decision> {
        let decision = self.decide_by(Evidence::NothingOutstanding, Cause::IdleClose, confidence)?;
        Some(Decision { impact: Impact::None, ..decision })
    }
}
