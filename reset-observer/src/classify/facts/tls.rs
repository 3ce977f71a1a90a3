//! What TLS hides: its handshake and its farewell are payload to the kernel, like requests and responses.

use std::time::Duration;

use super::Facts;
use crate::{
    correlate::{LONG_DUE, learned::LONGEST_FAREWELL},
    record::{Event, Record, Snapshot},
};

/// What a TLS `close_notify` takes on the wire, its record's header with it: by ChaCha20 of TLS 1.2, by any cipher of
/// TLS 1.3 ([RFC 8446], section 5.2), by AES-GCM of TLS 1.2 ([RFC 5288], section 3).
///
/// [RFC 8446]: https://www.rfc-editor.org/rfc/rfc8446
/// [RFC 5288]: https://www.rfc-editor.org/rfc/rfc5288
const CLOSE_NOTIFY: [u64; 3] = [23, 24, 31];

/// The same by AES-CBC with SHA-1, of TLS 1.2 ([RFC 5246], section 6.2.3.2), without and with encrypt-then-MAC. Only
/// where TLS is known to be spoken.
///
/// [RFC 5246]: https://www.rfc-editor.org/rfc/rfc5246
const CLOSE_NOTIFY_BY_CBC: [u64; 2] = [53, 57];

/// A TLS client has sent this much before it can say `close_notify`: its hello, its part of the handshake, a request.
const SHORTEST_TLS_SESSION: u64 = 250;

/// Round trips before a second request can be sent: to open, for the handshake of TLS 1.3, for the first response.
const ROUND_TRIPS_BEFORE_REUSE: u32 = 3;

/// nginx sends the request in the turn of its event loop that ends the handshake; a longer pause before it is a
/// connection that lay in the pool.
const SURELY_POOLED: Duration = Duration::from_millis(100);

/// A handshake takes no longer, in the usual case.
const SURELY_HANDSHAKEN: Duration = Duration::from_secs(2);

/// A turn of nginx's event loop.
const ONE_TURN: Duration = Duration::from_millis(10);

/// The same on a busy machine, where others run between two calls of nginx's: up to 128 ms were seen where a compiler had
/// the better priority, in three of a million closes.
const LONG_TURN: Duration = Duration::from_millis(300);

impl Facts<'_> {
    /// Whether TLS is spoken with the server, as far as nginx's configuration is known.
    pub(in crate::classify) fn tls(&self) -> Option<bool> {
        self.case.connection.settings().and_then(|settings| settings.tls)
    }

    /// Whether the last request was at least the second of its connection; `None` where that is not known.
    pub(in crate::classify) fn reuse(&self) -> Option<bool> {
        let snapshot = self.snapshot.filter(|snapshot| snapshot.bytes_received > 0)?;
        if self.tls() != Some(true) {
            return Some(true);
        }
        let sent_at = snapshot.first_transmit_at.zip(self.case.connection.opened_at());
        let age = sent_at.map(|(sent, opened)| sent.since(opened));
        let too_soon = snapshot.rtt_min.map(|rtt| rtt * ROUND_TRIPS_BEFORE_REUSE);
        if age.zip(too_soon).is_some_and(|(age, too_soon)| age < too_soon) {
            return Some(false);
        }
        let pooled = snapshot.idle_before_request.is_some_and(|gap| gap >= SURELY_POOLED)
            || age.is_some_and(|age| age >= SURELY_HANDSHAKEN);
        pooled.then_some(true)
    }

    /// How long the connection had been idle when the FIN came, as its server's idle timeout is learned: a farewell that came
    /// with the FIN hides when the last response did, and then the time counts from the request.
    pub(in crate::classify) fn idle_until_the_fin(&self) -> Option<Duration> {
        let (fin, idle) = self.case.connection.fin().zip(self.idle_now())?;
        let sent = self.snapshot.and_then(|snapshot| snapshot.first_transmit_at);
        let farewell = self.tls() == Some(true) && idle <= ONE_TURN;
        if farewell { sent.map(|sent| fin.at.since(sent)) } else { Some(idle) }
    }

    /// This much payload is this end's farewell, and no request over TLS is so short.
    fn is_close_notify(&self, bytes: u64, snapshot: &Snapshot) -> bool {
        let by_any = CLOSE_NOTIFY.contains(&bytes);
        let fits = match self.tls() {
            Some(true) => by_any || CLOSE_NOTIFY_BY_CBC.contains(&bytes),
            Some(false) => false,
            None => by_any,
        };
        fits && snapshot.bytes_sent >= SHORTEST_TLS_SESSION + bytes
    }

    /// All that was written since a response was this end's farewell: what is not acknowledged, what the backend on this
    /// host left unread, or what was written since the FIN came.
    pub(in crate::classify) fn flight_is_close_notify(&self) -> bool {
        let Some(snapshot) = self.snapshot else { return false };
        if snapshot.unacked > 0 {
            return snapshot.flight_never_acked && self.is_close_notify(snapshot.unacked.into(), snapshot);
        }
        let peer = self.case.peer.as_ref().and_then(|peer| peer.sent()?.snapshot);
        peer.is_some_and(|peer| self.is_close_notify(peer.unread.into(), snapshot)) || self.said_after_the_fin(snapshot)
    }

    fn said_after_the_fin(&self, snapshot: &Snapshot) -> bool {
        let before = self.case.connection.fin().and_then(|fin| fin.snapshot);
        before.filter(|before| !before.flight_never_acked && before.unacked == 0).is_some_and(|before| {
            let since = snapshot.bytes_sent.saturating_sub(before.bytes_sent);
            self.is_close_notify(since, snapshot)
        })
    }

    /// The server's farewell came when this end had closed, with nothing outstanding. The server's own end, where it is on
    /// this host, tells how long that was.
    pub(in crate::classify) fn farewell_after_close(&self) -> bool {
        let connection = &self.case.connection;
        let done = connection.abandoned().is_none() && connection.reset().is_none();
        if self.tls() == Some(false) || !done || !connection.sent().is_some_and(Record::answers_data_after_close) {
            return false;
        }
        let peer = self.case.peer.as_ref().and_then(|peer| peer.reset()?.snapshot);
        peer.map_or(self.tls() == Some(true) && !self.case.client_left, |peer| {
            self.is_close_notify(peer.unacked.into(), &peer)
        })
    }

    /// This end closed with the server's farewell unread, which its FIN came with. A response would have been read.
    pub(in crate::classify) fn farewell_unread_after_fin(&self) -> bool {
        let connection = &self.case.connection;
        let closed = connection.sent().filter(|sent| {
            matches!(sent.event, Event::ResetSent { active: true, data_after_close: false }) && sent.exit.is_none()
        });
        let unread = closed.and_then(|sent| sent.snapshot).map_or(0, |snapshot| snapshot.unread);
        // The FIN counts as a byte.
        self.tls() != Some(false) && connection.fin().is_some() && (1..=LONGEST_FAREWELL + 1).contains(&unread)
    }

    /// More lies unread than a farewell: this end closed in the middle of a response.
    pub(in crate::classify) fn response_unread(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.unread > LONGEST_FAREWELL + 1)
    }

    /// What this end sent last over TLS, it sent in the turn of its event loop in which it had received something, and the
    /// connection ended within another.
    pub(in crate::classify) fn sent_within_a_turn(&self) -> bool {
        let (Some(snapshot), Some(end)) = (self.snapshot, self.decisive) else { return false };
        let ended = snapshot.first_transmit_at.is_some_and(|sent| end.at.since(sent) <= ONE_TURN);
        // Within one jiffy there is no gap.
        let at_once = snapshot.total_retransmits == 0 && snapshot.since_last_receive == snapshot.since_last_send;
        let within_a_turn = snapshot.idle_before_request.map_or(at_once, |gap| gap <= ONE_TURN);
        self.tls() == Some(true) && ended && within_a_turn
    }

    /// nginx closed in the turn of its event loop in which it sent something, over TLS as far as is known: a farewell, unless
    /// a response is long due, or more than a farewell is under way. A request is not given up so soon.
    pub(in crate::classify) fn closed_right_after_sending(&self, closed: &Record) -> bool {
        let turn = match self.tls() {
            Some(true) => LONG_TURN,
            Some(false) => return false,
            None => ONE_TURN,
        };
        closed.snapshot.is_some_and(|snapshot| {
            let sent = snapshot.first_transmit_at.is_some_and(|sent| closed.at.since(sent) <= turn);
            // More than a farewell is not taken yet: a request is.
            sent && !is_long_due(&snapshot) && snapshot.unacked <= LONGEST_FAREWELL
        })
    }

    /// nginx closed in the turn of its event loop in which it said farewell: it was done with the connection, unless a
    /// response was long due.
    pub(in crate::classify) fn closed_with_a_farewell(&self, closed: &Record) -> bool {
        closed.event == Event::ClosedUnacked
            && closed.snapshot.is_some_and(|snapshot| {
                !is_long_due(&snapshot)
                    && snapshot.flight_never_acked
                    && self.is_close_notify(snapshot.unacked.into(), &snapshot)
            })
    }
}

/// Nothing was received for so long that a response is awaited.
fn is_long_due(snapshot: &Snapshot) -> bool {
    snapshot.since_last_receive.is_none_or(|since| since >= LONG_DUE)
}

#[cfg(test)]
mod tests;
