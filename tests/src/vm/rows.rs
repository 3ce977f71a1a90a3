//! The rows of what is known of the kernel's resets: where `tcp_receive_reset` fires, where `tcp_send_reset` does, and what
//! the packet tells; and the checks that show each. They run on this kernel as tests, and on every kernel of the matrix.

use std::fmt::Write as _;
use std::thread;

use anyhow::{Context, Result, bail};

use super::bench::Bench;
use super::checks;
use super::features::Kernel;
use super::record::Records;
use crate::lock::MachineLock;
use crate::namespace::Namespace;

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it says, as the name of its test.
    pub says: &'static str,
    /// The checks that show it, by name.
    pub checks: &'static [&'static str],
}

const fn row(says: &'static str, checks: &'static [&'static str]) -> Row {
    Row { says, checks }
}

/// Where `tcp_receive_reset` fires, and where it does not.
pub const RECEIVED: &[Row] = &[
    row(
        "an_rst_with_the_next_sequence_number_is_a_reset_received_in_every_state",
        &[
            "exact_established",
            "exact_fin_wait1",
            "exact_close_wait",
            "exact_last_ack",
            "exact_closing",
            "before_fin_close_wait",
            "before_fin_last_ack",
            "before_fin_closing",
            "sack_edge",
            "aborted",
            "aborted_ipv6",
            "race",
        ],
    ),
    row("an_rst_inside_the_window_is_none_but_the_answer_to_its_challenge_is", &["in_window"]),
    row("an_rst_out_of_the_window_is_none", &["out_of_window", "forged"]),
    row("a_refused_syn_is_a_reset_received_in_syn_sent", &["refused", "refused_ipv6"]),
    row("an_rst_with_a_bad_acknowledgement_in_syn_sent_is_none", &["syn_sent_bad_ack"]),
    row("an_rst_to_a_connection_request_is_none", &["request_reset"]),
    row("an_rst_to_a_request_with_data_by_fast_open_is_a_reset_received_in_syn_recv", &["fast_open_child"]),
    row("an_rst_in_time_wait_is_none", &["time_wait_reset"]),
    row(
        "data_after_close_is_told_as_a_reset_received_and_known_to_be_none",
        &["data_after_close", "data_in_fin_wait1", "data_in_last_ack", "data_with_ack_of_fin"],
    ),
    row("icmp_errors_and_timeouts_are_errors_and_no_resets", &["icmp_prohibited", "user_timeout", "keepalive_timeout"]),
];

/// Where `tcp_send_reset` fires, and where it does not.
pub const SENT: &[Row] = &[
    row(
        "an_active_reset_tells_the_state_before_and_the_process",
        &["close_unread", "linger_0", "killed_unread", "listener_closed"],
    ),
    row("an_active_reset_by_a_timer_is_nobodys_doing", &["keepalive_timeout"]),
    row("a_passive_reset_of_a_full_socket_tells_what_the_socket_knew", &["passive_full_socket", "data_after_close"]),
    row("a_reset_by_a_listener_has_both_ends_from_the_packet", &["to_a_listener", "address_reused"]),
    row("a_reset_from_time_wait_is_told_where_the_kernel_does", &["time_wait"]),
    row("a_reset_without_a_socket_is_told_where_the_kernel_does", &["no_socket"]),
    row("an_accept_queue_that_overflows_is_a_reset_by_the_listener", &["accept_overflow"]),
    row("a_reset_that_nftables_makes_is_never_told_as_sent", &["reject"]),
];

/// What the reset packet tells of its sender.
pub const SHAPE: &[Row] = &[
    row(
        "a_host_that_knows_no_such_connection_answers_with_a_bare_r",
        &["shape_no_socket", "shape_listener", "shape_closed_socket"],
    ),
    row(
        "a_live_socket_aborts_with_r_and_a_and_a_timestamp",
        &["shape_linger_0", "shape_close_unread", "shape_listener_closed"],
    ),
    row("a_refused_syn_is_answered_by_r_and_a_without_window", &["shape_refused"]),
    row("nftables_rejects_with_a_bare_r", &["shape_reject"]),
    row("a_forged_rst_shows_by_its_time_to_live", &["shape_forged"]),
];

/// Sockets of unusual kinds.
pub const UNUSUAL: &[Row] = &[
    row("an_mptcp_subflow_is_reset_as_any_connection", &["mptcp_subflow"]),
    row("a_connection_restored_by_tcp_repair_is_reset_as_any_other", &["tcp_repair"]),
    row("a_refused_fast_open_is_a_refused_connection", &["fast_open_refused"]),
];

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [RECEIVED, SENT, SHAPE, UNUSUAL].into_iter().flatten()
}

/// The observer that all rows of a test run share, with a look at the packets themselves, by whichever hook this kernel
/// allows. Other labs wait until this process has ended.
#[derive(Debug)]
pub struct Shared {
    bench: Bench,
    _machine: MachineLock,
}

impl Shared {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let (sender, receiver) = std::sync::mpsc::channel();
        // A child ends with the thread that started it, and each test has a thread of its own.
        thread::spawn(move || {
            let _ = sender.send(Self::start_here());
            loop {
                thread::park();
            }
        });
        receiver.recv().context("the lab itself: the observer was not started")?
    }

    fn start_here() -> Result<Self> {
        let machine = MachineLock::take()?;
        let (records, ready) = Records::start_with("debug", &["--rst-packets", "cgroup"])?;
        let bench = Bench { kernel: Kernel::ask()?, records, features: ready["features"].clone() };
        Ok(Self { bench, _machine: machine })
    }

    /// Runs the checks of a row in a network namespace of their own.
    pub fn hold(&self, row: &Row) -> Result<()> {
        let scratch = tempfile::tempdir()?;
        let net = Namespace::new("row", scratch.path())?;
        net.run("ip", &["link", "set", "lo", "up"], "")?;
        let mut wrong = String::new();
        for name in row.checks {
            let check = checks::named(name)?;
            // Each has its own thread: what it sets up for its thread ends with it.
            if let Err(error) = net.inside(|| (check.act)(&self.bench)) {
                writeln!(wrong, "{name} ({}): {error:#}", check.claim)?;
            }
        }
        if wrong.is_empty() { Ok(()) } else { bail!("{wrong}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_shown_by_checks_that_there_are() {
        for row in all() {
            assert!(!row.checks.is_empty(), "{} is shown by nothing", row.says);
            row.checks.iter().for_each(|name| assert!(checks::named(name).is_ok(), "no check {name}"));
        }
    }
}
