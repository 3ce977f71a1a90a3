//! One test for each row of what is known of the kernel's resets, under one observer. What shows a row is in
//! `lab::vm::rows`.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::sync::{LazyLock, Mutex, PoisonError};

use lab::programs;
use lab::vm::rows::{self, Shared};

/// One row at a time: what the kernel side remembers of an event, it remembers by processor.
static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(|| Mutex::new(Shared::start().unwrap()));

fn assert_row(says: &str) {
    if programs::has_root() {
        let row = rows::all().find(|row| row.says == says).unwrap();
        SHARED.lock().unwrap_or_else(PoisonError::into_inner).hold(row).unwrap();
    }
}

macro_rules! tests {
    ($($says:ident)*) => {
        const TESTS: &[&str] = &[$(stringify!($says)),*];
        $(#[test] fn $says() { assert_row(stringify!($says)); })*
    };
}

tests! {
    an_rst_with_the_next_sequence_number_is_a_reset_received_in_every_state
    an_rst_inside_the_window_is_none_but_the_answer_to_its_challenge_is
    an_rst_out_of_the_window_is_none
    a_refused_syn_is_a_reset_received_in_syn_sent
    an_rst_with_a_bad_acknowledgement_in_syn_sent_is_none
    an_rst_to_a_connection_request_is_none
    an_rst_to_a_request_with_data_by_fast_open_is_a_reset_received_in_syn_recv
    an_rst_in_time_wait_is_none
    data_after_close_is_told_as_a_reset_received_and_known_to_be_none
    icmp_errors_and_timeouts_are_errors_and_no_resets
    an_active_reset_tells_the_state_before_and_the_process
    an_active_reset_by_a_timer_is_nobodys_doing
    a_passive_reset_of_a_full_socket_tells_what_the_socket_knew
    a_reset_by_a_listener_has_both_ends_from_the_packet
    a_reset_from_time_wait_is_told_where_the_kernel_does
    a_reset_without_a_socket_is_told_where_the_kernel_does
    an_accept_queue_that_overflows_is_a_reset_by_the_listener
    a_reset_that_nftables_makes_is_never_told_as_sent
    a_host_that_knows_no_such_connection_answers_with_a_bare_r
    a_live_socket_aborts_with_r_and_a_and_a_timestamp
    a_refused_syn_is_answered_by_r_and_a_without_window
    nftables_rejects_with_a_bare_r
    a_forged_rst_shows_by_its_time_to_live
    an_mptcp_subflow_is_reset_as_any_connection
    a_connection_restored_by_tcp_repair_is_reset_as_any_other
    a_refused_fast_open_is_a_refused_connection
}

#[test]
fn every_row_has_its_test() {
    let rows: Vec<_> = rows::all().map(|row| row.says).collect();
    assert_eq!(TESTS, rows);
}
