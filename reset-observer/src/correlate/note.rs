//! What one event says of others: of the server, of the connections that it cuts at the same time.

use super::{Correlator, Ends, server::Cut};
use crate::{
    attribute::Attributed,
    record::{Event, LastPayload, Record, Snapshot, TcpState},
    verdict::Leg,
};

impl Correlator {
    /// What the event says of a server, whoever recorded it.
    pub(super) fn note_server(&mut self, record: &Record) {
        if record.event == Event::ResetReceived && record.state_before == Some(TcpState::SynSent) {
            self.server(record.remote).refused(record.at);
        }
        if is_unanswered_handshake(record) {
            self.server(record.remote).silent(record.at);
        }
        // Opened by this end: the other end of the same connection would be taken for a server.
        let served = record.snapshot.is_some_and(|snapshot| snapshot.bytes_received > 0);
        if let Some(owner) = record.owner.as_ref().filter(|_| served) {
            self.server(record.remote).served(owner.opened_at);
        }
        if let Some(exit) = record.exit
            && record.event != Event::ListenerExit
        {
            self.server(record.local).exited(record.at, exit);
        }
    }

    /// Notes that a client left before it had its answer, for the upstream connections that nginx then cuts. One that
    /// leaves with its answer, as most do, is no reason to cut anything.
    pub(super) fn note_client(&mut self, event: &Attributed) {
        let record = &event.record;
        let left = matches!(record.event, Event::FinReceived | Event::ResetReceived);
        if event.leg == Leg::Client && left && record.snapshot.as_ref().is_some_and(is_unserved) {
            self.departures.add(record.netns, record.at);
        }
    }

    /// Notes that the peer cut an upstream connection, for the others that it cuts at the same time.
    pub(super) fn note_cut(&mut self, event: &Attributed) {
        let record = &event.record;
        let by_peer = matches!(record.event, Event::FinReceived | Event::ResetReceived);
        if event.leg == Leg::Upstream && by_peer && record.state_before != Some(TcpState::SynSent) {
            let opened = record.owner.as_ref().map(|owner| owner.opened_at);
            let by_reset =
                record.event == Event::ResetReceived && !record.state_before.is_some_and(TcpState::fin_received);
            self.server(record.remote).cut(Cut { at: record.at, ends: Ends::of(record), opened, by_reset });
        }
    }
}

/// A SYN that was sent again, and that this end or the kernel gave up.
fn is_unanswered_handshake(record: &Record) -> bool {
    let given_up = matches!(record.event, Event::ClosedUnacked | Event::Failed { .. });
    let again = record.snapshot.is_some_and(|snapshot| snapshot.total_retransmits > 0);
    given_up && again && record.state_before == Some(TcpState::SynSent)
}

/// On a client's connection what is received is the request, so that a response is due, or is on its way. Of a first
/// request that came in the jiffy of the handshake only the count of bytes tells.
fn is_unserved(client: &Snapshot) -> bool {
    let nothing_sent = client.bytes_sent == 0 && client.bytes_received > 0;
    client.unacked > 0 || nothing_sent || client.last_payload == Some(LastPayload::Received)
}
