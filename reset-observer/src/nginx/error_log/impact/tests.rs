use super::{FailedTry, Later, NextUpstream, impact};
use crate::{
    nginx::error_log::line::{Action, Kind},
    verdict::Impact,
};

const SINGLE: NextUpstream = NextUpstream {
    error: true,
    timeout: true,
    invalid_header: false,
    non_idempotent: false,
    tries: 0,
    request_buffering: true,
    servers: Some(1),
    keeps_connections: true,
};

/// A GET whose cached connection was closed while nginx waited for the response.
const RACE: FailedTry<'_> = FailedTry {
    kind: Kind::PrematurelyClosed,
    action: Some(Action::ReadingResponseHeader),
    method: Some("GET"),
    reused: Some(true),
    failed_before: Some(0),
    later: None,
};

#[test]
fn a_race_is_retried_even_with_a_single_server() {
    assert_eq!(impact(RACE, &SINGLE), Impact::RequestRetried);
    assert_eq!(impact(FailedTry { reused: Some(false), ..RACE }, &SINGLE), Impact::RequestFailed);
    assert_eq!(impact(FailedTry { reused: None, ..RACE }, &SINGLE), Impact::Unknown);
}

#[test]
fn a_request_that_is_not_idempotent_fails_once_it_was_sent() {
    for method in ["POST", "LOCK", "PATCH"] {
        let post = FailedTry { method: Some(method), ..RACE };
        assert_eq!(impact(post, &SINGLE), Impact::RequestFailed);
        assert_eq!(impact(post, &NextUpstream { non_idempotent: true, ..SINGLE }), Impact::RequestRetried);
        let connecting = FailedTry { action: Some(Action::ConnectingToUpstream), reused: Some(false), ..post };
        assert_eq!(impact(connecting, &NextUpstream { servers: Some(2), ..SINGLE }), Impact::RequestRetried);
    }
    assert_eq!(impact(FailedTry { method: Some("PUT"), ..RACE }, &SINGLE), Impact::RequestRetried);
    assert_eq!(impact(FailedTry { method: None, ..RACE }, &SINGLE), Impact::Unknown);
}

#[test]
fn a_body_that_was_not_kept_cannot_be_sent_again() {
    let unbuffered = NextUpstream { request_buffering: false, ..SINGLE };
    assert_eq!(impact(RACE, &unbuffered), Impact::RequestRetried);
    assert_eq!(impact(FailedTry { method: Some("PUT"), ..RACE }, &unbuffered), Impact::Unknown);
}

#[test]
fn a_timeout_on_a_cached_connection_gets_no_try_for_free() {
    let timeout = FailedTry { kind: Kind::TimedOut, ..RACE };
    assert_eq!(impact(timeout, &SINGLE), Impact::RequestFailed);
    assert_eq!(impact(timeout, &NextUpstream { servers: Some(2), ..SINGLE }), Impact::RequestRetried);
    assert_eq!(impact(timeout, &NextUpstream { servers: Some(2), timeout: false, ..SINGLE }), Impact::RequestFailed);
}

#[test]
fn each_server_is_tried_once() {
    let two = NextUpstream { servers: Some(2), ..SINGLE };
    let refused =
        FailedTry { kind: Kind::Failed, action: Some(Action::ConnectingToUpstream), reused: Some(false), ..RACE };
    assert_eq!(impact(refused, &two), Impact::RequestRetried);
    assert_eq!(impact(FailedTry { failed_before: Some(1), ..refused }, &two), Impact::Unknown, "was that one cached?");
    let without_cache = NextUpstream { keeps_connections: false, ..two };
    assert_eq!(impact(FailedTry { failed_before: Some(1), ..refused }, &without_cache), Impact::RequestFailed);
    assert_eq!(impact(refused, &NextUpstream { tries: 1, ..two }), Impact::RequestFailed);
    assert_eq!(impact(refused, &NextUpstream { servers: None, ..two }), Impact::Unknown);
    let later = Some(Later { failures: 1, kind: Kind::Failed, action: refused.action });
    assert_eq!(impact(FailedTry { later, ..refused }, &two), Impact::RequestFailed, "neither was cached");
}

#[test]
fn of_a_request_that_failed_again_the_last_failure_decides() {
    let rules = NextUpstream { servers: Some(4), tries: 2, ..SINGLE };
    let again = |failures, kind, action| Some(Later { failures, kind, action: Some(action) });
    let fresh = FailedTry { reused: Some(false), ..RACE };
    let reading = again(1, Kind::PrematurelyClosed, Action::ReadingResponseHeader);
    assert_eq!(impact(FailedTry { later: reading, ..fresh }, &rules), Impact::Unknown, "was that one cached?");
    let without_cache = NextUpstream { keeps_connections: false, ..rules };
    assert_eq!(impact(FailedTry { later: reading, ..fresh }, &without_cache), Impact::RequestFailed);
    let more = NextUpstream { tries: 3, ..rules };
    assert_eq!(impact(FailedTry { later: reading, ..fresh }, &more), Impact::RequestRetried);
    for over in [
        again(1, Kind::PrematurelyClosed, Action::ReadingUpstream),
        again(1, Kind::NoLiveUpstreams, Action::ConnectingToUpstream),
    ] {
        assert_eq!(impact(FailedTry { later: over, ..fresh }, &more), Impact::RequestFailed);
    }
}

#[test]
fn where_the_line_may_be_anothers_only_what_holds_for_all_is_said() {
    let two = NextUpstream { servers: Some(2), ..SINGLE };
    let shared = FailedTry { failed_before: None, ..RACE };
    assert_eq!(impact(shared, &two), Impact::Unknown, "it may have failed again");
    assert_eq!(impact(FailedTry { reused: Some(false), ..shared }, &SINGLE), Impact::RequestFailed);
    assert_eq!(impact(FailedTry { method: Some("POST"), ..shared }, &two), Impact::RequestFailed);
}

#[test]
fn after_the_response_header_nothing_is_tried_again() {
    for action in [Action::ReadingUpstream, Action::ProxyingUpgraded, Action::SendingToClient] {
        assert_eq!(impact(FailedTry { action: Some(action), ..RACE }, &SINGLE), Impact::RequestFailed);
    }
}

#[test]
fn messages_that_end_no_try_say_nothing() {
    for kind in [Kind::ServerDisabled, Kind::BufferedToFile, Kind::MoreThanContentLength, Kind::ClientClosed] {
        assert_eq!(impact(FailedTry { kind, ..RACE }, &SINGLE), Impact::Unknown);
    }
    assert_eq!(impact(FailedTry { action: None, ..RACE }, &SINGLE), Impact::Unknown);
}

#[test]
fn no_live_upstreams_is_the_end() {
    let none = FailedTry { kind: Kind::NoLiveUpstreams, action: Some(Action::ConnectingToUpstream), ..RACE };
    assert_eq!(impact(none, &NextUpstream::default()), Impact::RequestFailed);
}

#[test]
fn a_header_too_big_fails_unless_the_directive_says_otherwise() {
    let big = FailedTry { kind: Kind::TooBigHeader, reused: Some(false), ..RACE };
    let two = NextUpstream { servers: Some(2), ..SINGLE };
    assert_eq!(impact(big, &two), Impact::RequestFailed);
    assert_eq!(impact(big, &NextUpstream { invalid_header: true, ..two }), Impact::RequestRetried);
}
