//! What is known of a connection, for the rooms that decide.

use std::sync::Arc;

use super::Connection;
use crate::{
    container::Container,
    correlate::{Ends, ends::Addresses},
    nginx::upstream_settings::UpstreamSettings,
    record::{Event, Exit, KernelTime, Record, Snapshot, TcpState},
    recording::Placing,
    verdict::{Leg, ProcessLabel, UpstreamLabel},
};

impl Connection {
    /// This end and the other.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// Whether these are its ends.
    pub(in crate::correlate) fn is_of(&self, ends: &Ends) -> bool {
        self.ends == *ends
    }

    /// Whether it is between these addresses, seen from this end.
    pub(in crate::correlate) fn is_between(&self, addresses: &Addresses) -> bool {
        self.ends.local == addresses.local && self.ends.remote == addresses.remote
    }

    /// Which side of nginx.
    #[must_use]
    pub fn leg(&self) -> Leg {
        self.leg
    }

    /// Who holds it.
    #[must_use]
    pub fn process(&self) -> Option<&Arc<ProcessLabel>> {
        self.placing.process.as_ref()
    }

    /// The container, pod or service of that process.
    #[must_use]
    pub fn container(&self) -> Option<&Arc<Container>> {
        self.placing.container.as_ref()
    }

    /// Whom it leads to.
    #[must_use]
    pub fn upstream(&self) -> Option<&Arc<UpstreamLabel>> {
        self.placing.upstream.as_ref()
    }

    /// Names the server, if it had no name so far.
    pub fn name_upstream(&mut self, label: Option<Arc<UpstreamLabel>>, settings: Option<Arc<UpstreamSettings>>) {
        let placing = Arc::make_mut(&mut self.placing);
        placing.upstream = label.or(placing.upstream.take());
        placing.settings = settings.or(placing.settings.take());
    }

    /// Takes what a later event says of its place, where that was not known.
    pub(super) fn place(&mut self, later: &Arc<Placing>) {
        let known = &self.placing;
        if Arc::ptr_eq(known, later) {
            return;
        }
        // The configuration may have been read since the last event.
        let names = known.settings.is_none() && !self.is_named(later.upstream.as_ref(), later.settings.as_ref());
        let holder = known.process.is_none() && later.process.is_some();
        if holder || known.container.is_none() && later.container.is_some() {
            let known = Arc::make_mut(&mut self.placing);
            if holder {
                (known.process, known.ordinal) = (later.process.clone(), later.ordinal);
            }
            known.container = known.container.take().or_else(|| later.container.clone());
        }
        if names {
            self.name_upstream(later.upstream.clone(), later.settings.clone());
        }
    }

    /// Whether [`Self::name_upstream`] with this name would change nothing.
    pub(crate) fn is_named(
        &self,
        label: Option<&Arc<UpstreamLabel>>,
        settings: Option<&Arc<UpstreamSettings>>,
    ) -> bool {
        let known = &*self.placing;
        (label.is_none() || label == known.upstream.as_ref())
            && (settings.is_none() || settings == known.settings.as_ref())
    }

    /// What nginx's configuration says of the server.
    #[must_use]
    pub fn settings(&self) -> Option<&UpstreamSettings> {
        self.placing.settings.as_deref()
    }

    /// The same, to be kept.
    pub(crate) fn shared_settings(&self) -> Option<&Arc<UpstreamSettings>> {
        self.placing.settings.as_ref()
    }

    /// When its end began.
    #[must_use]
    pub fn first_at(&self) -> KernelTime {
        self.first_at
    }

    /// The peer's FIN.
    #[must_use]
    pub fn fin(&self) -> Option<&Record> {
        self.fin.as_deref()
    }

    /// The first reset received.
    #[must_use]
    pub fn reset(&self) -> Option<&Record> {
        self.reset.as_deref()
    }

    /// The first reset sent.
    #[must_use]
    pub fn sent(&self) -> Option<&Record> {
        self.sent.as_deref()
    }

    /// This end gave up on a peer that did not answer.
    #[must_use]
    pub fn given_up(&self) -> Option<&Record> {
        self.given_up.as_deref()
    }

    /// This end closed the connection, or gave up its handshake, before the other end did anything about it.
    #[must_use]
    pub fn abandoned(&self) -> Option<&Record> {
        let first = |record: &&Record| self.fin.as_ref().is_none_or(|fin| record.at < fin.at);
        let open = |record: &&Record| matches!(record.state_before, Some(TcpState::Established | TcpState::SynSent));
        let by_choice = |record: &&Record| record.event == Event::ClosedUnacked;
        self.given_up().filter(by_choice).filter(open).filter(first)
    }

    /// The record of its close by a process that was ending.
    #[must_use]
    pub fn exit_close(&self) -> Option<&Record> {
        self.exit_close.as_deref()
    }

    /// The record that says most of how the connection was: the reset received, else the FIN, else what this end sent.
    #[must_use]
    pub fn decisive(&self) -> Option<&Record> {
        self.records().next()
    }

    /// What the socket knew then.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.records().find_map(|record| record.snapshot.as_ref())
    }

    /// When it was opened, if the observer saw it.
    #[must_use]
    pub fn opened_at(&self) -> Option<KernelTime> {
        self.records().find_map(|record| record.owner.as_ref()).map(|owner| owner.opened_at)
    }

    /// How the process that closed it was ending, if it was.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.records().find_map(|record| record.exit)
    }
}
