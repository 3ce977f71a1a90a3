//! What one event says of others: of the server, of the connections that it cuts at the same time.

use super::{Correlator, Ends, server::Cut};
use crate::{
    attribute::Attributed,
    record::{Event, LastPayload, Record, Snapshot, TcpState},
    verdict::Leg,
};

impl Correlator {
    /// What the event says of servers, whoever recorded it: of the one at the other end, and of the process at this end if
    /// it ended.
    pub(super) fn note_servers(&mut self, event: &Attributed) {
        let record = &event.record;
        let refused = record.event == Event::ResetReceived && record.state_before == Some(TcpState::SynSent);
        let silent = is_unanswered_handshake(record);
        // Opened by this end: the other end of the same connection would be taken for a server.
        let answered = record.snapshot.is_some_and(|snapshot| snapshot.bytes_received > 0);
        let served = record.owner.as_ref().filter(|_| answered).map(|owner| owner.opened_at);
        let cut = cut_by_peer(event);
        if refused || silent || served.is_some() || cut.is_some() {
            let server = self.server(record.remote);
            if refused {
                server.refused(record.at);
            }
            if silent {
                server.silent(record.at);
            }
            served.into_iter().for_each(|opened| server.served(opened));
            cut.into_iter().for_each(|cut| server.cut(cut));
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
        if event.placing.leg == Leg::Client && left && record.snapshot.as_ref().is_some_and(is_unserved) {
            self.departures.add(record.netns, record.at);
        }
    }
}

/// That the peer cut an upstream connection, for the others that it cuts at the same time.
fn cut_by_peer(event: &Attributed) -> Option<Cut> {
    let record = &event.record;
    let by_peer = matches!(record.event, Event::FinReceived | Event::ResetReceived);
    if event.placing.leg != Leg::Upstream || !by_peer || record.state_before == Some(TcpState::SynSent) {
        return None;
    }
    let opened = record.owner.as_ref().map(|owner| owner.opened_at);
    let by_reset = record.event == Event::ResetReceived && !record.state_before.is_some_and(TcpState::fin_received);
    Some(Cut { at: record.at, ends: Ends::of(record), opened, by_reset })
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
