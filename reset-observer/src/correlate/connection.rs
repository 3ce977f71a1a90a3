//! One connection as one end of it saw it.

use std::{sync::Arc, time::Duration};

mod known;
mod uncounted;

use uncounted::Uncounted;

use super::{Ends, learned::LONGEST_FAREWELL};
use crate::{
    attribute::Attributed,
    record::{Event, KernelTime, LastPayload, Record, SequenceNumbers, Snapshot, TcpState},
    recording::Placing,
    resets::{Direction, ResetTotals},
    verdict::Leg,
};

/// Both ends of a connection record its end within this time, if both are on this host.
const PEER_WITHIN: Duration = Duration::from_secs(5);

/// A response that did not come for so long is awaited, not just over.
pub(crate) const LONG_DUE: Duration = Duration::from_secs(1);

/// nginx says farewell in the turn of its event loop in which it closes; counted in jiffies.
const JUST_SENT: Duration = Duration::from_millis(20);

/// nginx's timers fire in a turn of its event loop, and the kernel counts the wait in jiffies.
const TIMER_SLACK: Duration = Duration::from_millis(50);

/// What one end recorded.
#[derive(Clone, Debug)]
pub struct Connection {
    ends: Ends,
    leg: Leg,
    /// Of its first event, and what later ones added; its leg is kept apart.
    placing: Arc<Placing>,
    first_at: KernelTime,
    /// Where it stood when first heard of.
    sequence: Option<SequenceNumbers>,
    /// First sign of a request that was outstanding.
    outstanding_at: Option<KernelTime>,
    fin: Option<Arc<Record>>,
    reset: Option<Arc<Record>>,
    sent: Option<Arc<Record>>,
    exit_close: Option<Arc<Record>>,
    /// This end gave up on a peer that did not answer.
    given_up: Option<Arc<Record>>,
    /// Resets whose leg may still change.
    uncounted: Uncounted,
    judged: bool,
    /// Judged, and nothing was to be said.
    told_nothing: bool,
}

impl Connection {
    /// A connection that ends with this event.
    pub(super) fn new(event: Attributed, resets: &mut ResetTotals) -> Self {
        let mut connection = Self {
            ends: Ends::of(&event.record),
            leg: event.placing.leg,
            placing: event.placing,
            first_at: event.record.at,
            sequence: event.record.snapshot.map(|snapshot| snapshot.sequence),
            outstanding_at: None,
            fin: None,
            reset: None,
            sent: None,
            exit_close: None,
            given_up: None,
            uncounted: Uncounted::default(),
            judged: false,
            told_nothing: false,
        };
        connection.take(event.record, resets);
        connection
    }

    /// Takes one more event. After the verdict its resets are counted at once.
    pub(super) fn add(&mut self, event: Attributed, resets: &mut ResetTotals) {
        let was_quiet = self.is_quiet();
        if self.leg == Leg::Other {
            self.leg = event.placing.leg;
        }
        self.place(&event.placing);
        self.take(event.record, resets);
        let written_into = was_quiet && self.outstanding_at.is_some();
        // The answer to a close takes longer than the settle window on a long road.
        let answered = self.told_nothing && self.leg == Leg::Upstream && self.reset.is_some();
        if self.judged && (written_into || answered) {
            // A request was written into the connection that looked idle when it was judged, or its end comes only now.
            (self.judged, self.told_nothing) = (false, false);
        }
        if self.judged {
            self.count(resets);
        }
    }

    fn take(&mut self, record: Arc<Record>, resets: &mut ResetTotals) {
        if let Some(direction) = Direction::of(&record) {
            resets.arrived(direction);
            self.uncounted.add(direction);
        }
        if is_outstanding(&record) {
            self.outstanding_at.get_or_insert(record.at);
        }
        match record.event {
            Event::FinReceived => self.fin.get_or_insert(record),
            Event::ExitClose | Event::ListenerExit => self.exit_close.get_or_insert(record),
            Event::ClosedUnacked => self.given_up.get_or_insert(record),
            // The kernel's own reason: a close that comes with it is only its consequence.
            Event::Failed { .. } => self.given_up.insert(record),
            // No end of a connection: the correlator keeps it away.
            Event::Retransmitted => return,
            Event::ResetReceived => self.reset.get_or_insert(record),
            Event::ResetSent { data_after_close, .. } => {
                if data_after_close {
                    self.retract_reset(resets);
                }
                self.sent.get_or_insert(record)
            }
        };
    }

    /// The kernel reported a reset that was not on the wire.
    fn retract_reset(&mut self, resets: &mut ResetTotals) {
        self.reset = None;
        if self.uncounted.take_back(Direction::Received) {
            resets.retracted(Direction::Received);
        }
    }

    /// Whether this event is of a later connection with the same addresses.
    pub(super) fn is_another(&self, record: &Record) -> bool {
        record.owner.as_ref().is_some_and(|owner| owner.opened_at > self.first_at)
    }

    /// Marks the connection as judged, and says whether it tells anything that a verdict could be about.
    pub(super) fn judge(&mut self, resets: &mut ResetTotals) -> Telling {
        self.count(resets);
        self.judged = true;
        let tells = match self.leg {
            Leg::Upstream => {
                let by_this_end =
                    self.gave_up() || self.abandoned().is_some_and(|closed| self.is_telling(closed)) || self.died();
                self.ended_by_peer() || self.sent.is_some() || by_this_end
            }
            Leg::Client => self.reset.is_some(),
            Leg::Other => self.owner_known() && (self.ended_by_peer() || self.gave_up()),
            Leg::Backend => false,
        };
        self.told_nothing = !tells;
        match tells {
            true => Telling::Something,
            false if self.leg == Leg::Upstream && self.abandoned().is_some() => Telling::IfLogged,
            false => Telling::Nothing,
        }
    }

    /// Counts the resets that wait on this connection's leg.
    pub(super) fn count(&mut self, resets: &mut ResetTotals) {
        for direction in self.uncounted.take() {
            resets.on_leg(direction, self.leg);
        }
    }

    /// Whether resets wait on its leg.
    pub(super) fn has_uncounted(&self) -> bool {
        !self.uncounted.is_empty()
    }

    pub(super) fn is_judged(&self) -> bool {
        self.judged
    }

    /// The other end turned out to be an upstream connection's nginx.
    pub(super) fn become_backend(&mut self) {
        if self.leg == Leg::Other {
            self.leg = Leg::Backend;
        }
    }

    /// Nothing but the peer's FIN came, and nothing was outstanding.
    pub(super) fn is_quiet(&self) -> bool {
        self.fin.is_some() && self.reset.is_none() && self.sent.is_none() && self.outstanding_at.is_none()
    }

    pub(super) fn waiting_since(&self) -> KernelTime {
        self.outstanding_at.unwrap_or(self.first_at)
    }

    /// Where it stood when first heard of.
    pub(super) fn sequence(&self) -> Option<SequenceNumbers> {
        self.sequence
    }

    /// Whether `other` can only be the other end: nginx is at one of them, both stand where they must, at the same time.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let stand = self.sequence.zip(other.sequence).is_some_and(|(one, other)| one.meets(&other));
        stand && self.first_at_is_near(other) && (self.leg == Leg::Upstream) != (other.leg == Leg::Upstream)
    }

    /// Whether both records may be of the same connection.
    pub(super) fn first_at_is_near(&self, other: &Self) -> bool {
        self.first_at.distance(other.first_at) <= PEER_WITHIN
    }

    /// The peer ended it with a request outstanding.
    pub(super) fn was_hurt_by_peer(&self) -> bool {
        self.ended_by_peer() && self.outstanding_at.is_some()
    }

    fn ended_by_peer(&self) -> bool {
        self.fin.is_some() || self.reset.is_some()
    }

    /// A close with a request on its way says something only if that request was sent in vain: sent again, or until the
    /// kernel gave up.
    fn gave_up(&self) -> bool {
        self.given_up.as_ref().is_some_and(|record| {
            let again = record.snapshot.is_some_and(|snapshot| snapshot.total_retransmits > 0);
            again || matches!(record.event, Event::Failed { .. })
        })
    }

    /// The process that held it died with a request in hand.
    fn died(&self) -> bool {
        self.exit_close.as_ref().is_some_and(|record| {
            let abnormally = record.exit.is_some_and(|exit| !exit.in_good_order());
            abnormally && is_outstanding(record)
        })
    }

    fn owner_known(&self) -> bool {
        self.records().any(|record| record.owner.is_some())
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        [&self.reset, &self.fin, &self.given_up, &self.sent, &self.exit_close].into_iter().filter_map(Option::as_deref)
    }

    /// Whether the close of this end left a request without its answer. A flight that was sent just before the close is as
    /// often a farewell of TLS as a request, unless a response is long due.
    fn is_telling(&self, abandoned: &Record) -> bool {
        refused(abandoned)
            || abandoned.snapshot.is_some_and(|snapshot| {
                let just_sent = snapshot.since_last_send.is_some_and(|since| since < JUST_SENT);
                let due =
                    just_sent && snapshot.since_last_receive.is_some_and(|since| self.is_long_due(since, &snapshot));
                let farewell = snapshot.flight_never_acked && snapshot.unacked <= LONGEST_FAREWELL;
                if farewell { due } else { is_outstanding(abandoned) && !snapshot.flight_never_acked }
            })
    }

    /// Whether nginx has waited so long for a response, or as long as it was told to. The request may have been sent a
    /// round trip before the last payload came, which was the end of a TLS handshake.
    fn is_long_due(&self, waited: Duration, snapshot: &Snapshot) -> bool {
        let mut timeouts = self
            .settings()
            .into_iter()
            .flat_map(|settings| settings.read_timeouts.iter().chain(&settings.send_timeouts));
        let early = snapshot.rtt_min.unwrap_or_default() * 2 + TIMER_SLACK;
        let is_over = |timeout: &Duration| (*timeout..=*timeout + early + TIMER_SLACK).contains(&(waited + early));
        waited >= LONG_DUE || timeouts.any(is_over)
    }
}

/// Whether a connection's end is worth a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Nothing is to be said of it.
    Nothing,
    /// nginx closed it with something unacknowledged that may be a farewell of TLS or a request: nginx's log knows.
    IfLogged,
    /// It is.
    Something,
}

/// Whether a request was, or may have been, without its response at the event.
pub(super) fn is_outstanding(record: &Record) -> bool {
    let by_socket = record.snapshot.is_some_and(|snapshot| {
        let unanswered = snapshot.bytes_sent > 0 && snapshot.bytes_received == 0;
        snapshot.unacked > 0 || unanswered || snapshot.last_payload == Some(LastPayload::Sent)
    });
    by_socket || refused(record)
}

fn refused(record: &Record) -> bool {
    record.state_before == Some(TcpState::SynSent)
}
