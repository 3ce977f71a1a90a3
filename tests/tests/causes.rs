//! Each scenario under an observer: its verdicts are the truth, on IPv4 and for the main causes on IPv6.

use lab::topology::Family::{V4, V6};
use lab::trial::{assert_all_named, assert_named};

#[test]
fn a_crash_with_unread_data_that_resets_the_connection_is_a_backend_crash() {
    assert_named("crash_with_reset", V4);
}

#[test]
fn a_crash_with_unread_data_is_a_backend_crash_on_ipv6_too() {
    assert_named("crash_with_reset", V6);
}

#[test]
fn a_crash_that_closes_in_order_and_then_refuses_is_a_backend_crash() {
    assert_named("crash_then_refused", V4);
}

#[test]
fn a_crash_that_closes_in_order_is_a_backend_crash_on_ipv6_too() {
    assert_named("crash_then_refused", V6);
}

#[test]
fn a_segmentation_fault_is_a_backend_crash() {
    assert_named("crash_segv", V4);
}

#[test]
fn an_abort_signal_is_a_backend_crash() {
    assert_named("crash_abort", V4);
}

#[test]
fn an_exit_code_other_than_zero_is_a_backend_crash() {
    assert_named("crash_exit_code", V4);
}

#[test]
fn a_request_that_crosses_the_fin_is_a_keepalive_race() {
    assert_named("race_crossing", V4);
}

#[test]
fn a_request_that_crosses_the_fin_is_a_keepalive_race_on_ipv6_too() {
    assert_named("race_crossing", V6);
}

#[test]
fn a_race_that_nginx_may_not_retry_is_a_failed_request() {
    assert_named("race_crossing_post", V4);
}

#[test]
fn a_request_written_after_the_fin_came_is_a_keepalive_race() {
    assert_named("race_held", V4);
}

#[test]
fn a_request_written_after_the_fin_came_is_a_keepalive_race_on_ipv6_too() {
    assert_named("race_held", V6);
}

#[test]
fn a_race_with_real_node_is_a_keepalive_race() {
    assert_named("race_held_node", V4);
}

#[test]
fn a_reset_by_a_router_that_forgot_is_a_middlebox_idle_drop() {
    assert_named("middlebox_reset", V4);
}

#[test]
fn a_reset_by_a_router_that_forgot_is_a_middlebox_idle_drop_on_ipv6_too() {
    assert_named("middlebox_reset", V6);
}

#[test]
fn a_server_where_nothing_listens_is_a_refused_connection() {
    assert_named("refused", V4);
}

#[test]
fn a_server_where_nothing_listens_is_a_refused_connection_on_ipv6_too() {
    assert_named("refused", V6);
}

#[test]
fn a_reset_in_the_middle_of_a_response_is_a_backend_abort() {
    assert_named("abort_cut_reset", V4);
}

#[test]
fn a_response_that_ends_too_soon_with_a_fin_is_a_backend_abort_by_nginx_log() {
    assert_named("abort_cut", V4);
}

#[test]
fn a_reset_at_a_size_limit_is_a_backend_abort() {
    assert_named("abort_size_limit", V4);
}

#[test]
fn an_exit_in_good_order_under_a_request_is_a_backend_restart() {
    assert_named("restart_exit", V4);
}

#[test]
fn death_by_sigterm_under_a_request_is_a_backend_restart() {
    assert_named("restart_sigterm", V4);
}

#[test]
fn an_exit_on_sigterm_under_a_request_is_a_backend_restart() {
    assert_named("restart_graceful", V4);
}

#[test]
fn everyday_traffic_yields_nothing_but_idle_closes() {
    assert_named("control", V4);
}

#[test]
fn everyday_traffic_yields_nothing_but_idle_closes_on_ipv6_too() {
    assert_named("control", V6);
}

#[test]
fn everyday_traffic_to_real_node_yields_nothing_but_idle_closes() {
    assert_named("control_node", V4);
}

#[test]
fn a_crash_in_the_middle_of_a_response_is_a_backend_crash() {
    assert_named("crash_mid_response", V4);
}

#[test]
fn a_race_that_ends_in_a_reset_without_a_fin_is_a_keepalive_race() {
    assert_named("race_unread", V4);
}

#[test]
fn a_routers_reset_that_takes_as_long_as_the_backends_would_is_a_middlebox_idle_drop() {
    assert_named("middlebox_reset_no_delay", V4);
}

#[test]
fn a_router_that_forgot_and_stays_silent_is_a_middlebox_idle_drop() {
    assert_named("middlebox_silence", V4);
}

#[test]
fn a_new_connection_that_is_turned_away_met_a_connection_limit() {
    assert_named("connection_limit", V4);
}

#[test]
fn a_reset_before_the_response_by_a_backend_that_lives_is_a_backend_abort() {
    assert_named("abort_linger0", V4);
}

#[test]
fn a_close_with_an_unread_body_by_a_backend_that_lives_is_a_backend_abort() {
    assert_named("abort_unread", V4);
}

#[test]
fn a_close_without_an_answer_by_a_backend_that_lives_is_a_backend_abort() {
    assert_named("abort_close", V4);
}

#[test]
fn what_a_client_does_that_leaves_is_a_client_abort_unless_nginx_does_not_mind() {
    assert_all_named(&["client_abort", "client_abort_reset", "client_abort_midway", "client_abort_ignored"], V4);
}

#[test]
fn what_nginx_gives_up_is_a_proxy_timeout() {
    assert_all_named(&["timeout_read", "timeout_midway", "timeout_send", "timeout_connect"], V4);
}

#[test]
fn what_a_dying_worker_cuts_is_a_proxy_crash() {
    assert_all_named(&["proxy_crash_kill", "proxy_crash_segv", "proxy_crash_unread"], V4);
}

#[test]
fn an_upgraded_connection_knows_crashes_and_aborts_but_no_races() {
    assert_all_named(&["websocket_control", "websocket_idle_close", "websocket_abort", "websocket_crash"], V4);
}

#[test]
fn limits_of_every_kind_are_told_apart() {
    assert_all_named(
        &["connection_limit_reset", "connection_limit_backlog", "abort_size_repeats", "abort_concurrency"],
        V4,
    );
}

#[test]
fn rarer_ends_are_named_too() {
    assert_all_named(
        &["crash_oom", "race_fin_lost", "abort_backpressure", "control_reload", "control_early_answer"],
        V4,
    );
}
