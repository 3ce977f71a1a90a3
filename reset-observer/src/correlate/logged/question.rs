//! Which line of the error log an event makes nginx write.

use std::time::Duration;

use crate::{
    attribute::Attributed,
    correlate::{connection::is_outstanding, learned::LONGEST_FAREWELL},
    nginx::error_log::join::{Ending, Expectation},
    record::{Event, KernelTime, Record, TcpState},
    verdict::Leg,
};

/// A FIN this soon after payload may have cut a response; one that comes later is that of an idle connection.
const FRESH: Duration = Duration::from_secs(1);

/// One that comes as soon as this most likely has: few connections are idle for so short a time.
const AT_ONCE: Duration = Duration::from_millis(200);

/// A reset may cut a response that pauses, because its reader or its writer is slow, for this long: by default nginx gives
/// up one that pauses longer (`proxy_read_timeout`). Servers rarely end idle connections by a reset.
const PAUSED: Duration = Duration::from_secs(60);

/// What nginx writes of this event, which is such an end; `None` if it writes no line for it.
pub(super) fn expectation(event: &Attributed, ending: Ending) -> Option<Expectation> {
    let (record, worker) = (&event.record, event.placing.process.as_ref()?);
    // Also for an instance whose log is not read yet: it may be, by the time of the answer.
    let instance = event.placing.instance?;
    if event.placing.leg != Leg::Upstream {
        return None;
    }
    Some(Expectation {
        instance: instance.0.into(),
        pid: worker.inner_pid.unwrap_or(worker.pid),
        server: record.remote,
        ending,
        since: first_sign(record),
        at: record.at,
    })
}

/// How the connection ended, as far as nginx's line depends on it; `None` if nginx writes no line for it.
pub(super) fn ending(record: &Record) -> Option<Ending> {
    let after_fin = record.state_before.is_some_and(TcpState::fin_received);
    match record.event {
        Event::ResetReceived if record.state_before == Some(TcpState::SynSent) => Some(Ending::Refused),
        Event::FinReceived if !is_outstanding(record) => {
            let by_pause =
                [(AT_ONCE, Ending::CutShort), (FRESH, Ending::CutAfterPause), (Duration::MAX, Ending::Quiet)];
            by_pause.into_iter().find(|(pause, _)| received_within(record, *pause)).map(|(_, ending)| ending)
        }
        Event::ResetReceived if !is_outstanding(record) && !after_fin => {
            received_within(record, PAUSED).then_some(Ending::CutByReset)
        }
        Event::ResetSent { active: true, .. } if leaves_response_unread(record) => Some(Ending::CutByProxy),
        _ if !is_outstanding(record) => None,
        Event::ResetReceived if after_fin => Some(Ending::Closed),
        Event::ResetReceived => Some(Ending::Reset),
        Event::FinReceived => Some(Ending::Closed),
        Event::ResetSent { active: true, .. } => Some(Ending::CutByProxy),
        Event::ClosedUnacked if was_taken(record) => Some(Ending::CutByProxy),
        Event::ClosedUnacked | Event::Failed { .. } => Some(Ending::Silent),
        Event::ResetSent { .. } | Event::ExitClose | Event::ListenerExit | Event::Retransmitted => None,
    }
}

/// Such an end is mostly that of an idle connection.
pub(super) const fn may_be_quiet(ending: Ending) -> bool {
    matches!(ending, Ending::Quiet | Ending::CutAfterPause)
}

/// The server answered the handshake and took the request, so that the wait was for the response.
fn was_taken(record: &Record) -> bool {
    record.snapshot.is_some_and(|snapshot| !snapshot.flight_never_acked || snapshot.total_retransmits == 0)
}

/// More lies unread than a farewell of TLS: nginx cut a response.
fn leaves_response_unread(record: &Record) -> bool {
    record.snapshot.is_some_and(|snapshot| snapshot.unread > LONGEST_FAREWELL)
}

/// nginx closed with the server's farewell unread: it had not read up to the FIN, and so it cannot have missed anything. It
/// only looks at an idle connection, and writes no line when it closes that.
pub(super) fn left_farewell_unread(record: &Record) -> bool {
    let by_close = matches!(record.event, Event::ResetSent { active: true, data_after_close: false });
    // The FIN counts as a byte.
    let farewell = 2..=LONGEST_FAREWELL + 1;
    by_close && record.snapshot.is_some_and(|snapshot| farewell.contains(&snapshot.unread))
}

fn received_within(record: &Record, pause: Duration) -> bool {
    let idle = record.snapshot.filter(|snapshot| snapshot.bytes_received > 0).and_then(|snapshot| snapshot.idle_now);
    idle.is_some_and(|idle| idle < pause)
}

/// The earliest that nginx may have noticed: a request that was written after the FIN had come fails at once.
pub(super) fn first_sign(record: &Record) -> KernelTime {
    let sent = record.snapshot.and_then(|snapshot| snapshot.first_transmit_at);
    let after_fin = record.state_before.is_some_and(TcpState::fin_received);
    sent.filter(|_| after_fin).map_or(record.at, |sent| sent.min(record.at))
}
