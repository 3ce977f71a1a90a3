//! What the end of one connection teaches of its server.

use std::time::Duration;

use super::Grade;
use crate::{
    correlate::Connection,
    record::{Event, LastPayload, Record, Snapshot, TcpState},
    verdict::Leg,
};

/// An idle timeout below this cannot be told from a response that ends with the connection.
const SHORTEST_IDLE: Duration = Duration::from_millis(20);

/// The same for a farewell, which comes with the response where a TLS connection is not kept: the time counts from the
/// request then, and most responses take less than this, most idle timeouts longer.
const SHORTEST_FAREWELL_IDLE: Duration = Duration::from_millis(500);

/// What a server says right before it closes is no longer than this: a TLS alert takes 23 to 85 bytes by cipher, a
/// GOAWAY of HTTP/2 17 and a few words (RFC 9113, section 6.8), both of them together within this.
pub(crate) const LONGEST_FAREWELL: u32 = 160;

/// A reset this long after the last payload cut an idle connection, not a response.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Samples from one connection; `None` where it shows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// How long it had been idle when the server closed it.
    pub(super) idle: Option<(Duration, Grade)>,
    /// The server ended it with a request outstanding: what else it closed at that moment was not for idleness.
    pub(super) hurt: bool,
    /// The server's kernel acknowledged a request after this idle time, so that it was open until then.
    pub(super) kept_for: Option<Duration>,
    /// From its last request to the end of the response.
    pub(super) response: Option<Duration>,
    /// Its smallest round trip.
    pub(super) round_trip: Option<Duration>,
    /// TTL of its SYN-ACK.
    pub(super) syn_ack_ttl: Option<u8>,
    /// Payload bytes received when a reset cut a response.
    pub(super) cut_size: Option<u64>,
}

impl Lesson {
    /// Reads the end of an upstream connection; `None` on other legs, and where the kernel had no full socket.
    /// `client_left` if a client had left just before.
    pub(crate) fn of(connection: &Connection, client_left: bool) -> Option<Self> {
        let snapshot = connection.snapshot().filter(|_| connection.leg() == Leg::Upstream)?;
        let idle = idle(connection, client_left);
        Some(Self {
            idle,
            hurt: idle.is_none() && connection.was_hurt_by_peer(),
            kept_for: kept_for(snapshot),
            response: idle.is_some_and(|(_, grade)| grade == Grade::Clean).then(|| response(connection)).flatten(),
            round_trip: snapshot.rtt_min,
            syn_ack_ttl: connection.reset().and_then(|reset| reset.packet?.syn_ack_ttl),
            cut_size: cut_size(connection),
        })
    }
}

impl Lesson {
    /// The same where the server's process on this host closed the connection in ending: not for idleness, nor what else it
    /// closed at that moment.
    pub(crate) fn of_an_ending_server(self) -> Self {
        Self { idle: None, hurt: true, response: None, ..self }
    }

    /// How long it had been idle when the server closed it.
    pub(in crate::correlate) fn idle_at_close(&self) -> Option<Duration> {
        self.idle.map(|(idle, _)| idle)
    }

    /// The idle time after which the server took a request.
    pub(in crate::correlate) fn served_after(&self) -> Option<Duration> {
        self.kept_for
    }

    /// The server closed the connection because it had been idle for long enough.
    pub(crate) fn is_close_for_idleness(&self) -> bool {
        self.idle.is_some()
    }
}

/// Payload received when a reset cut a response, if it did.
pub(crate) fn cut_size(connection: &Connection) -> Option<u64> {
    let snapshot = connection.reset()?.snapshot?;
    let in_response = !snapshot.flight_never_acked
        && matches!(snapshot.last_payload, Some(LastPayload::Received | LastPayload::Tie))
        && snapshot.idle_now.is_some_and(|pause| pause < LONGEST_PAUSE);
    (in_response && snapshot.bytes_received > 0).then_some(snapshot.bytes_received)
}

/// How long the server let the connection lie idle, if it closed it for that.
fn idle(connection: &Connection, client_left: bool) -> Option<(Duration, Grade)> {
    match connection.fin() {
        Some(fin) => {
            let snapshot = fin.snapshot.as_ref()?;
            clean(snapshot).or_else(|| farewell(snapshot).filter(is_idle))
        }
        // nginx saw the farewell before the FIN came, and closed with the farewell unread. It closes so for a client that
        // left, too.
        None if client_left => None,
        None => farewell_unread(connection, SHORTEST_IDLE).map(|idle| (idle, Grade::Farewell)).filter(is_idle),
    }
}

fn is_idle((since_request, _): &(Duration, Grade)) -> bool {
    *since_request >= SHORTEST_FAREWELL_IDLE
}

/// Since the last request, if all that happened is that the server said farewell, and nginx closed with that unread in less
/// than so much time.
pub(crate) fn farewell_unread(connection: &Connection, within: Duration) -> Option<Duration> {
    let alone = connection.fin().is_none() && connection.reset().is_none();
    let sent = connection.sent().filter(|sent| alone && aborted_by_us(sent))?;
    let snapshot = sent.snapshot.as_ref()?;
    came_unread(snapshot, within).then_some(snapshot.since_last_send)?
}

fn aborted_by_us(sent: &Record) -> bool {
    let active = matches!(sent.event, Event::ResetSent { active: true, data_after_close: false });
    active && sent.exit.is_none() && sent.state_before == Some(TcpState::Established)
}

/// A FIN and nothing but a FIN, long after the last payload. A request that crossed it changes nothing: the server had
/// closed before it came.
fn clean(snapshot: &Snapshot) -> Option<(Duration, Grade)> {
    let crossed = snapshot.flight_never_acked;
    let answered = snapshot.unacked == 0 && snapshot.last_payload != Some(LastPayload::Sent);
    let idle = if crossed { snapshot.since_last_receive } else { snapshot.idle_now };
    let idle = idle.filter(|idle| *idle >= SHORTEST_IDLE && snapshot.bytes_received > 0 && snapshot.unread == 0);
    idle.filter(|_| crossed || answered).map(|idle| (idle, Grade::Clean))
}

/// The last payload came with the close, and it is short: a TLS `close_notify` or a GOAWAY, which hides when the payload
/// before it came. Since the last request, then, which is longer by the time of the response.
///
/// That nginx had not read it says that it was not waiting for a response.
fn farewell(snapshot: &Snapshot) -> Option<(Duration, Grade)> {
    let since_request = snapshot.since_last_send?;
    came_unread(snapshot, SHORTEST_IDLE).then_some((since_request, Grade::Farewell))
}

/// The last payload came in less than so much time before, it is short, and nginx has not read it.
fn came_unread(snapshot: &Snapshot, within: Duration) -> bool {
    let just_now = snapshot.since_last_receive.is_some_and(|since| since < within) && snapshot.unacked == 0;
    let short = (1..=LONGEST_FAREWELL).contains(&snapshot.unread) && snapshot.bytes_received > snapshot.unread.into();
    just_now && short
}

fn kept_for(snapshot: &Snapshot) -> Option<Duration> {
    let taken = snapshot.unacked == 0 && !snapshot.flight_never_acked && snapshot.bytes_received > 0;
    snapshot.idle_before_request.filter(|_| taken)
}

fn response(connection: &Connection) -> Option<Duration> {
    let snapshot = connection.fin()?.snapshot?;
    let received_last = snapshot.last_payload == Some(LastPayload::Received);
    let time = snapshot.since_last_send?.checked_sub(snapshot.since_last_receive?);
    time.filter(|_| received_last)
}

#[cfg(test)]
mod tests;
