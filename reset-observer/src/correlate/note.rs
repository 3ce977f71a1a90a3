//! What one event says of others: of the server, of the connections that it cuts at the same time.

use super::{Correlator, Ends};
use crate::{
    attribute::Attributed,
    record::{Event, Record, TcpState},
    verdict::Leg,
};

impl Correlator {
    /// What the event says of a server, whoever recorded it.
    pub(super) fn note_server(&mut self, record: &Record) {
        if record.event == Event::ResetReceived && record.state_before == Some(TcpState::SynSent) {
            self.server(record.remote).refused(record.at);
        }
        if let Some(exit) = record.exit
            && record.event != Event::ListenerExit
        {
            self.server(record.local).exited(record.at, exit);
        }
    }

    /// Notes that the peer cut an upstream connection, for the others that it cuts at the same time.
    pub(super) fn note_cut(&mut self, event: &Attributed) {
        let record = &event.record;
        let by_peer = matches!(record.event, Event::FinReceived | Event::ResetReceived);
        if event.leg == Leg::Upstream && by_peer && record.state_before != Some(TcpState::SynSent) {
            self.server(record.remote).cut(record.at, Ends::of(record));
        }
    }
}
