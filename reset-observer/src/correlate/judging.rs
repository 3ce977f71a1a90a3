//! From a connection whose time has come to a case: its other end, and what is known around it.

use std::sync::Arc;

use super::{
    Case, Connection, Correlator, Logged, OOM_WITHIN, connection::Telling, connections::Slot, learned::Lesson,
};
use crate::verdict::Leg;

/// Connections that may stand where another's other end must; so many are no coincidence, and leave too much choice.
const MAX_CANDIDATES: usize = 64;

impl Correlator {
    /// The case of a connection that was not judged yet, if it tells anything.
    pub(super) fn judge(&mut self, slot: Slot) -> Option<Case> {
        let known = self.connections.get(slot)?;
        if known.is_judged() {
            return None;
        }
        let peer = self.peer(slot, known).cloned();
        let known = self.connections.get_mut(slot)?;
        if peer.as_ref().is_some_and(|peer| peer.leg() == Leg::Upstream) {
            known.become_backend();
        }
        let tells = known.judge(&mut self.resets);
        let connection = self.connections.get(slot).filter(|_| tells != Telling::Nothing).map(Arc::clone)?;
        Some(self.case(connection, peer, tells == Telling::IfLogged))
    }

    /// Adds what is known of the server and of those around it.
    fn case(&mut self, connection: Arc<Connection>, peer: Option<Arc<Connection>>, if_logged: bool) -> Case {
        let ends = connection.ends();
        let at = connection.first_at();
        let known = self.servers.get_mut(&ends.remote);
        let server = known.as_deref().map(|server| server.facts(&connection, self.settle)).unwrap_or_default();
        let client_left = self.departures.any_just_before(ends.netns, at);
        let ending = peer.as_ref().is_some_and(|peer| peer.exit().is_some());
        let lesson = Lesson::of(&connection, client_left).filter(|_| !if_logged);
        if let Some(lesson) = lesson.map(|lesson| if ending { lesson.of_an_ending_server() } else { lesson }) {
            let taught = match known {
                Some(known) => known,
                None => self.servers.entry(ends.remote),
            };
            taught.learn(&lesson, at, &server);
            if let Some(opened) = connection.opened_at().filter(|_| lesson.is_close_for_idleness()) {
                taught.closed_for_idleness(at, at.since(opened));
            }
            self.servers.has_learned();
        }
        let oom_killed = peer.as_ref().and_then(|peer| peer.process()).is_some_and(|process| {
            self.oom_victims.get(&process.pid).is_some_and(|&chosen| chosen.distance(at) <= OOM_WITHIN)
        });
        Case { connection, peer, server, client_left, oom_killed, logged: Logged::Unknown, if_logged }
    }

    /// The other end of the connection, in whichever network namespace of this host it is: by its addresses, else by its
    /// sequence numbers, if they leave no choice.
    fn peer(&self, slot: Slot, this: &Connection) -> Option<&Arc<Connection>> {
        let by_address = self.connections.peer(slot, |peer| peer.first_at_is_near(this));
        by_address.or_else(|| self.translated_peer(this))
    }

    fn translated_peer(&self, this: &Connection) -> Option<&Arc<Connection>> {
        let candidates = self.by_sequence.expecting(this.sequence()?).take(MAX_CANDIDATES);
        let (mut only, mut others, mut count) = (None, false, 0);
        for peer in candidates.inspect(|_| count += 1).filter_map(|slot| self.connections.get(slot)) {
            if this.meets(peer) {
                others |= only.replace(peer).is_some();
            }
        }
        only.filter(|_| !others && count < MAX_CANDIDATES)
    }
}
