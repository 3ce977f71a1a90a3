use super::*;
use crate::{
    classify::{Decision, classify},
    correlate::Correlator,
    record::Event,
    sample::{acknowledged, at, from_port, idle, proxy, requested, reset, upstream},
    verdict::{Cause, Confidence, Evidence},
};

/// The decision on the last of these cuts, each of a connection of its own.
fn last_of_cuts(sizes: &[u64]) -> Decision {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    let mut cases = Vec::new();
    for ((port, ms), &bytes_received) in (1..).zip((2000..).step_by(1000)).zip(sizes) {
        let snapshot = Snapshot { bytes_received, ..idle(Duration::from_millis(4)) };
        correlator.handle(from_port(port, reset(ms, TcpState::Established, snapshot)));
        cases = correlator.poll(at(ms + 400));
    }
    classify(&cases[0])
}

#[test]
fn responses_that_are_cut_after_as_many_bytes_again_and_again_hit_a_limit() {
    assert!(!last_of_cuts(&[65_600, 65_600]).evidence.contains(&Evidence::SizeRepeats));
    assert!(!last_of_cuts(&[65_600, 65_600, 812]).evidence.contains(&Evidence::SizeRepeats));
    let decision = last_of_cuts(&[65_600, 812, 65_600, 65_600]);
    assert!(decision.evidence.contains(&Evidence::SizeRepeats));
    assert_eq!(decision.cause, Cause::BackendAbort);
}

#[test]
fn the_distance_of_other_connections_is_told_where_this_ones_was_not_seen_and_decides_nothing() {
    let packet =
        |ttl, syn_ack_ttl| Packet { tcp_flags: 0x04, ttl, syn_ack_ttl, window: 0, seq: 1, ack: None, timestamp: false };
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for port in 1..=5 {
        let mut abort = from_port(port, reset(1000, TcpState::Established, acknowledged(at(990))));
        abort.record_mut().packet = Some(packet(63, Some(63)));
        correlator.handle(abort);
    }
    correlator.poll(at(1500));
    let mut forged = reset(2000, TcpState::Established, requested(at(1970), Duration::from_secs(10)));
    forged.record_mut().packet = Some(packet(252, None));
    correlator.handle(forged);
    let cases = correlator.flush();
    let decision = classify(cases.iter().find(|case| case.connection.ends().local == proxy()).expect("a case"));
    assert!(decision.evidence.contains(&Evidence::TtlUnlikeLearned), "{decision:?}");
    assert!(decision.confidence != Confidence::High, "{decision:?}");
}

#[test]
fn a_reset_by_nginx_of_a_connection_on_which_the_server_said_farewell_hurts_nobody() {
    let moment = Duration::from_millis(4);
    let farewell = Snapshot {
        unread: 31,
        bytes_received: 1015,
        idle_now: Some(moment),
        since_last_receive: Some(moment),
        ..idle(Duration::from_millis(5000))
    };
    let ours = |port, ms| {
        let event = Event::ResetSent { active: true, data_after_close: false };
        from_port(port, upstream(ms, event, TcpState::Established, farewell))
    };
    let mut correlator = Correlator::new(Duration::from_millis(300));
    let mut says = Vec::new();
    for (port, ms) in (1..).zip([2000, 3000, 4000, 5000]) {
        correlator.handle(ours(port, ms));
        let decision = classify(&correlator.poll(at(ms + 400))[0]);
        says.push((decision.cause, decision.confidence, decision.impact));
    }
    let harmless = |confidence| (Cause::IdleClose, confidence, Impact::None);
    let (low, medium) = (harmless(Confidence::Low), harmless(Confidence::Medium));
    assert_eq!(says, [low, low, low, medium], "surer once the timeout is learned");
}
