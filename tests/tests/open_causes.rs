//! Cases that the observer does not name reliably yet: until it does, it must at least not be sure of something wrong.
//!
//! A case that it has learned to name moves to `causes.rs`. What was said is printed (`--nocapture`).

use lab::topology::Family::V4;
use lab::trial::assert_no_false_certainty;

#[test]
fn a_crash_in_the_middle_of_a_response_misleads_no_one() {
    assert_no_false_certainty("crash_mid_response", V4);
}

#[test]
fn a_race_that_ends_in_a_reset_without_a_fin_misleads_no_one() {
    assert_no_false_certainty("race_unread", V4);
}

#[test]
fn a_routers_reset_that_takes_as_long_as_the_backends_would_misleads_no_one() {
    assert_no_false_certainty("middlebox_reset_no_delay", V4);
}

#[test]
fn a_router_that_forgot_and_stays_silent_misleads_no_one() {
    assert_no_false_certainty("middlebox_silence", V4);
}

#[test]
fn a_new_connection_that_is_turned_away_misleads_no_one() {
    assert_no_false_certainty("connection_limit", V4);
}

#[test]
fn a_reset_before_the_response_by_a_backend_that_lives_misleads_no_one() {
    assert_no_false_certainty("abort_linger0", V4);
}

#[test]
fn a_close_with_an_unread_body_by_a_backend_that_lives_misleads_no_one() {
    assert_no_false_certainty("abort_unread", V4);
}

#[test]
fn a_close_without_an_answer_by_a_backend_that_lives_misleads_no_one() {
    assert_no_false_certainty("abort_close", V4);
}

#[test]
fn a_response_that_the_backend_cuts_short_misleads_no_one() {
    assert_no_false_certainty("abort_cut", V4);
}
