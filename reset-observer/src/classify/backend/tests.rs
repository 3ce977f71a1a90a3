use std::time::Duration;

use super::*;
use crate::{
    classify::classify,
    correlate::{Case, Correlator, Logged},
    nginx::error_log::line::{Action, Kind},
    record::{Snapshot, TcpState},
    sample::{at, fin, idle, joined, requested, reset},
};

fn said_of_a_reset(snapshot: Snapshot) -> (Cause, Confidence) {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    correlator.handle(reset(2000, TcpState::Established, snapshot));
    let decision = classify(&correlator.flush()[0]);
    (decision.cause, decision.confidence)
}

#[test]
fn a_reset_of_a_connection_in_use_is_most_likely_an_abort_and_of_a_paused_one_nobody_knows() {
    let after = |gap| requested(at(1970), Duration::from_millis(gap));
    assert_eq!(said_of_a_reset(after(4)), (Cause::BackendAbort, Confidence::Low));
    assert_eq!(said_of_a_reset(after(500)), (Cause::Unknown, Confidence::Low));
    let in_the_same_jiffy = Snapshot { idle_before_request: None, idle_now: Some(Duration::ZERO), ..after(4) };
    assert_eq!(said_of_a_reset(in_the_same_jiffy), (Cause::BackendAbort, Confidence::Low));
    let no_clock = Snapshot { idle_before_request: None, idle_now: None, ..after(4) };
    assert_eq!(said_of_a_reset(no_clock), (Cause::Unknown, Confidence::Low));
}

#[test]
fn a_reset_in_use_that_comes_a_little_sooner_than_the_few_round_trips_so_far_is_no_middleboxs() {
    let sent = at(1979);
    let sooner = Snapshot { clock: sent.after(Duration::from_millis(10)), ..requested(sent, Duration::from_millis(4)) };
    assert_eq!(said_of_a_reset(sooner), (Cause::BackendAbort, Confidence::Low));
}

#[test]
fn who_spoke_but_had_not_answered_when_it_closed_aborted_and_only_the_log_tells() {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    correlator.handle(fin(2000, idle(Duration::from_millis(70))));
    let case = correlator.flush().remove(0);
    assert_eq!(classify(&case).cause, Cause::IdleClose);
    let mut line = joined();
    (line.kind, line.action) = (Some(Kind::PrematurelyClosed), Some(Action::ReadingResponseHeader));
    line.over_http2 = true;
    let decision = classify(&Case { logged: Logged::Line(Box::new(line)), ..case });
    assert_eq!((decision.cause, decision.confidence), (Cause::BackendAbort, Confidence::Medium));
}
