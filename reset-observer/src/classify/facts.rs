//! What the rules ask of a case, worked out once.

use std::time::Duration;

mod found;
mod logged;
mod round_trip;
mod tls;

use crate::{
    correlate::{
        Case, IdleTimeout, LONG_DUE,
        learned::{LONGEST_FAREWELL, farewell_unread},
    },
    record::{Event, Exit, KernelTime, LastPayload, Packet, Record, Snapshot, TcpState},
    verdict::{Impact, Leg},
};

/// Hops by which the paths of two packets of one host may differ.
const SAME_PATH_HOPS: u8 = 3;

/// A connection that is cut within this many round trips of its opening was turned away.
const ROUND_TRIPS_OF_OPENING: u32 = 3;

/// The same for round trips within one host.
const SHORTEST_OPENING: Duration = Duration::from_millis(5);

/// The same where the backend's own socket says that of the request nothing was ever read: on a busy host, the
/// application may come to it later.
const LONGEST_UNREAD: Duration = Duration::from_secs(1);

/// The kernel waits this long at least before it sends again ([`TCP_RTO_MIN`]).
///
/// [`TCP_RTO_MIN`]: https://github.com/torvalds/linux/blob/v6.12/include/net/tcp.h#L142
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(200);

/// nginx counts its timers in milliseconds, from the start of a turn of its event loop.
const TIMER_EARLY: Duration = Duration::from_millis(10);

/// nginx closes an idle connection in the turn of its event loop that finds something to read; on a busy machine that turn
/// may be late.
const NOTICED_LATE: Duration = Duration::from_millis(200);

/// How late a busy worker may be.
const TIMER_LATE: Duration = Duration::from_millis(50);

/// The same for long timeouts.
const TIMER_LATE_SHARE: f64 = 0.01;

/// Facts of one case.
pub(super) struct Facts<'a> {
    pub(super) case: &'a Case,
    /// Zero snapshot where the kernel had no full socket; the rules ask `known` first.
    snapshot: Option<&'a Snapshot>,
    decisive: Option<&'a Record>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(case: &'a Case) -> Self {
        Self { case, snapshot: case.connection.snapshot(), decisive: case.connection.decisive() }
    }

    pub(super) fn leg(&self) -> Leg {
        self.case.connection.leg()
    }

    pub(super) fn reset_received(&self) -> bool {
        self.case.connection.reset().is_some()
    }

    /// The peer's FIN came before whatever else came.
    pub(super) fn fin_seen(&self) -> bool {
        self.case.connection.fin().is_some() || self.state().is_some_and(TcpState::fin_received)
    }

    pub(super) fn state(&self) -> Option<TcpState> {
        self.decisive.and_then(|record| record.state_before)
    }

    /// The peer's kernel acknowledged nothing of the current flight.
    pub(super) fn flight_never_acked(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.flight_never_acked)
    }

    /// A response was, or over TLS may have been, received on this connection before: whatever was lost was not its first
    /// request.
    pub(super) fn reused(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.bytes_received > 0)
            && (self.flight_never_acked() || self.sent_last())
            && self.reuse() != Some(false)
    }

    pub(super) fn nothing_received(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.bytes_received == 0)
    }

    fn sent_last(&self) -> bool {
        self.last_payload() == Some(LastPayload::Sent)
    }

    fn last_payload(&self) -> Option<LastPayload> {
        self.snapshot.and_then(|snapshot| snapshot.last_payload)
    }

    /// A request went out, its peer's kernel acknowledged some or all of it, and no response byte came after it.
    pub(super) fn acked_without_response(&self) -> bool {
        let sent = self.snapshot.is_some_and(|snapshot| snapshot.bytes_sent > 0);
        sent && !self.flight_never_acked() && (self.sent_last() || self.nothing_received())
    }

    /// Payload came after the request, or in the same jiffy.
    pub(super) fn response_began(&self) -> bool {
        !self.flight_never_acked()
            && !self.nothing_received()
            && matches!(self.last_payload(), Some(LastPayload::Received | LastPayload::Tie))
    }

    /// No request had been sent, or all of it was acknowledged and payload came after it.
    pub(super) fn nothing_unacked(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.unacked == 0)
    }

    pub(super) fn nothing_sent(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.bytes_sent == 0)
    }

    pub(super) fn unread(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.unread > 0)
    }

    pub(super) fn idle_now(&self) -> Option<Duration> {
        self.snapshot.and_then(|snapshot| snapshot.idle_now)
    }

    pub(super) fn idle_before_request(&self) -> Option<Duration> {
        self.snapshot.and_then(|snapshot| snapshot.idle_before_request)
    }

    /// The request was first sent after the FIN had arrived.
    pub(super) fn written_after_fin(&self) -> bool {
        let fin = self.case.connection.fin().map(|fin| fin.at);
        let sent = self.snapshot.and_then(|snapshot| snapshot.first_transmit_at);
        self.flight_never_acked() && fin.zip(sent).is_some_and(|(fin, sent)| sent > fin)
    }

    /// Cut within a few round trips of being opened, or as soon as the application came to it.
    pub(super) fn cut_when_opened(&self) -> bool {
        let Some((opened, record)) = self.case.connection.opened_at().zip(self.decisive) else { return false };
        let rtt = self.snapshot.and_then(|snapshot| snapshot.rtt_min).unwrap_or_default();
        let unread = !self.nothing_sent() && self.peer_read_nothing() == Some(true);
        let shortest = if unread { LONGEST_UNREAD } else { SHORTEST_OPENING };
        record.at.since(opened) <= (rtt * ROUND_TRIPS_OF_OPENING).max(shortest)
    }

    pub(super) fn idle_timeout(&self) -> Option<IdleTimeout> {
        self.case.server.idle_timeout
    }

    pub(super) fn idle_matches(&self) -> bool {
        self.idle_timeout().zip(self.idle_before_request()).is_some_and(|(timeout, gap)| timeout.matches(gap))
    }

    /// The server said farewell on an idle connection (TLS `close_notify`, GOAWAY), and nginx closed with that unread,
    /// before the FIN came: since the last request.
    pub(super) fn farewell_unread(&self) -> Option<Duration> {
        farewell_unread(&self.case.connection, NOTICED_LATE)
    }

    /// How the backend's process on this host ended, if it closed this very connection while ending.
    pub(super) fn peer_exit(&self) -> Option<Exit> {
        self.case.peer.as_ref().and_then(|peer| peer.exit())
    }

    /// The backend is on this host, and its kernel recorded that it sent a reset on this connection.
    pub(super) fn peer_sent(&self) -> bool {
        self.case.peer.as_ref().is_some_and(|peer| peer.sent().is_some())
    }

    /// The backend is on this host, and sent no reset on this connection.
    pub(super) fn peer_never_sent(&self) -> bool {
        let here = self.case.connection.reset().is_some_and(|reset| reset.peer_on_host);
        here && !self.peer_sent() && self.peer_exit().is_none()
    }

    /// The backend on this host closed without having read anything of the outstanding request.
    pub(super) fn peer_left_request_unread(&self) -> bool {
        let peer = self.case.peer.as_ref().and_then(|peer| peer.sent()).and_then(|sent| sent.snapshot);
        let flight = self.snapshot.map(|snapshot| snapshot.unacked);
        peer.zip(flight).is_some_and(|(peer, flight)| flight > 0 && peer.unread >= flight)
    }

    /// This end had closed before the peer's reset came.
    pub(super) fn closed_by_this_end_first(&self) -> bool {
        matches!(self.state(), Some(TcpState::FinWait1 | TcpState::FinWait2 | TcpState::TimeWait))
    }

    /// Whether the backend on this host had read nothing of what had arrived when it sent its reset; `None` if it is not
    /// on this host, or sent none.
    pub(super) fn peer_read_nothing(&self) -> Option<bool> {
        let snapshot = self.case.peer.as_ref()?.sent()?.snapshot?;
        Some(u64::from(snapshot.unread) >= snapshot.bytes_received)
    }

    /// The reset packet, where it was looked at.
    pub(super) fn packet(&self) -> Option<Packet> {
        self.case.connection.reset().and_then(|reset| reset.packet)
    }

    /// A live socket was aborted by its owner: such a reset acknowledges and carries a timestamp, which no host that
    /// knows no such connection can make up.
    pub(super) fn rst_of_live_socket(&self) -> bool {
        self.packet().is_some_and(|packet| packet.ack.is_some() && packet.timestamp)
    }

    /// The sender knows no such connection.
    pub(super) fn rst_of_unknown_connection(&self) -> bool {
        self.packet().is_some_and(|packet| packet.ack.is_none() && packet.window == 0 && !packet.timestamp)
    }

    /// The reset came over clearly more or fewer hops than the SYN-ACK. Paths change by a hop or two.
    pub(super) fn ttl_unlike_syn_ack(&self) -> bool {
        let packet = self.packet();
        let ttls = packet.and_then(|packet| Some((packet.ttl, packet.syn_ack_ttl?)));
        ttls.is_some_and(|(ttl, syn_ack)| ttl.abs_diff(syn_ack) > SAME_PATH_HOPS)
    }

    /// The same, compared with the server's other connections where this one's SYN-ACK was not seen. Behind one address
    /// there may be several hosts at different distances, so this decides nothing by itself.
    fn ttl_unlike_learned(&self) -> bool {
        let packet = self.packet().filter(|packet| packet.syn_ack_ttl.is_none());
        let ttls = packet.and_then(|packet| Some((packet.ttl, self.case.server.syn_ack_ttl?)));
        ttls.is_some_and(|(ttl, syn_ack)| ttl.abs_diff(syn_ack) > SAME_PATH_HOPS)
    }

    /// The server as a whole went away around that time.
    pub(super) fn server_vanished(&self) -> bool {
        self.case.server.refused
    }

    /// nginx itself ended the connection, before the backend did.
    pub(super) fn ended_by_this_end(&self) -> bool {
        let connection = &self.case.connection;
        let sent = connection.sent().is_some() && !self.reset_received() && !self.fin_seen();
        connection.abandoned().is_some() || sent
    }

    /// A request was sent again, nothing of it was ever acknowledged, and this end gave it up.
    pub(super) fn sent_in_vain(&self) -> bool {
        let Some(given_up) = self.case.connection.given_up() else { return false };
        // Earlier segments may have been sent twice, too.
        let sent = self.snapshot.and_then(|snapshot| snapshot.first_transmit_at);
        let waited = sent.is_none_or(|sent| given_up.at.since(sent) >= SHORTEST_TIMEOUT);
        let again = waited && self.snapshot.is_some_and(|snapshot| snapshot.total_retransmits > 0);
        self.flight_never_acked() && (again || matches!(given_up.event, Event::Failed { .. }))
    }

    /// Much of what was sent is not acknowledged, and nothing came for long that could have been an answer to it.
    pub(super) fn upload_under_way(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| {
            let due = snapshot.since_last_receive.is_some_and(|since| since >= LONG_DUE);
            !snapshot.flight_never_acked && snapshot.unacked > LONGEST_FAREWELL && due
        })
    }

    /// nginx closed when one of its configured timeouts was over.
    pub(super) fn waited_timeout(&self) -> bool {
        let connection = &self.case.connection;
        let Some((closed, settings)) = connection.abandoned().zip(connection.settings()) else { return false };
        let since = |begun: Option<KernelTime>| begun.map(|begun| closed.at.since(begun));
        if closed.state_before == Some(TcpState::SynSent) {
            return since(connection.opened_at()).is_some_and(|waited| is_one_of(&settings.connect_timeouts, waited));
        }
        let timeouts = settings.read_timeouts.iter().chain(&settings.send_timeouts);
        let sent = since(self.snapshot.and_then(|snapshot| snapshot.first_transmit_at));
        sent.is_some_and(|waited| is_one_of(timeouts, waited))
    }

    /// What it did to a request. Whether nginx tried again is not in the kernel.
    pub(super) fn impact(&self) -> Impact {
        if let Some(impact) = self.logged_impact().filter(|impact| *impact != Impact::Unknown) {
            return impact;
        }
        if self.response_began() && (self.reset_received() || self.unread()) {
            return Impact::RequestFailed;
        }
        Impact::Unknown
    }
}

/// nginx's timers fire in the turn of its event loop after they are due. The request may have been sent a little before
/// the timer was set.
fn is_one_of<'a>(timeouts: impl IntoIterator<Item = &'a Duration>, waited: Duration) -> bool {
    timeouts.into_iter().any(|timeout| {
        let late = TIMER_LATE.max(timeout.mul_f64(TIMER_LATE_SHARE));
        waited + TIMER_EARLY >= *timeout && waited <= *timeout + late
    })
}

#[cfg(test)]
mod tests;
