use super::*;
use crate::{
    record::{Exit, Packet, SequenceNumbers, TcpState},
    resets::Direction,
    sample::{
        acknowledged, at, exit_close, fin, from_port, idle, peer_reset, proxy, refused, requested, reset, upstream,
    },
    verdict::Leg,
};

const SETTLE: Duration = Duration::from_millis(300);
const SECOND: Duration = Duration::from_secs(1);

fn after(events: impl IntoIterator<Item = Attributed>) -> Correlator {
    let mut correlator = Correlator::new(SETTLE);
    for event in events {
        correlator.handle(event);
    }
    correlator
}

fn race() -> [Attributed; 2] {
    let request = requested(at(1990), SECOND);
    [fin(2000, request), reset(2020, TcpState::LastAck, request)]
}

#[test]
fn a_fin_and_the_reset_after_it_are_one_case() {
    let mut correlator = after(race());
    assert!(correlator.poll(at(2100)).is_empty(), "the settle window is not over");
    let cases = correlator.poll(at(2301));
    assert_eq!(cases.len(), 1);
    assert!(cases[0].connection.fin().is_some() && cases[0].connection.reset().is_some());
    assert!(correlator.flush().is_empty(), "one connection, one case");
}

#[test]
fn the_next_deadline_is_when_the_first_case_is_due() {
    let mut correlator = after(race());
    let deadline = correlator.next_deadline().unwrap();
    assert_eq!(deadline, at(2300));
    assert_eq!(correlator.poll(deadline).len(), 1);
    assert!(correlator.next_deadline().is_some(), "it is remembered for a while");
    correlator.poll(at(10_000));
    assert_eq!(correlator.next_deadline(), None, "and then forgotten");
}

#[test]
fn a_reset_that_follows_the_verdict_makes_no_second_one_and_is_counted() {
    let [fin, late] = race();
    let mut correlator = after([fin]);
    assert_eq!(correlator.poll(at(2400)).len(), 1);
    correlator.handle(late);
    assert!(correlator.flush().is_empty());
    let kernel = KernelCounts { received: 1, submitted: 2, ..KernelCounts::default() };
    let decode = DecodeCounts { decoded: 2, refused: 0 };
    assert_eq!(correlator.resets(&kernel, &decode).get(Direction::Received, Leg::Upstream), 1);
}

#[test]
fn the_reset_that_answers_a_close_over_a_long_road_is_the_first_that_there_is_to_say() {
    let lost = requested(at(1900), Duration::from_secs(1));
    let mut correlator = after([upstream(2000, Event::ClosedUnacked, TcpState::Established, lost)]);
    assert!(correlator.poll(at(2300)).iter().all(|case| !case.is_worth_a_verdict()), "nginx closed: no more is known");
    correlator.handle(reset(2304, TcpState::Closing, lost));
    assert_eq!(correlator.poll(at(2304)).len(), 1);
    assert!(correlator.flush().is_empty(), "once");
}

#[test]
fn a_request_written_into_a_closed_connection_is_waited_for() {
    let closed = fin(2000, idle(SECOND));
    let written = reset(3400, TcpState::CloseWait, requested(at(3399), SECOND));
    let mut correlator = after([closed]);
    assert!(correlator.poll(at(3300)).is_empty(), "a quiet end waits longer");
    correlator.handle(written);
    assert_eq!(correlator.poll(at(3800)).len(), 1);
}

#[test]
fn even_after_its_quiet_end_was_said_the_race_is_not_lost() {
    let mut correlator = after([fin(2000, idle(SECOND))]);
    assert_eq!(correlator.poll(at(3600)).len(), 1);
    correlator.handle(reset(3700, TcpState::CloseWait, requested(at(3699), SECOND)));
    assert_eq!(correlator.poll(at(4100)).len(), 1);
}

#[test]
fn data_after_close_is_not_a_reset_received() {
    let ours =
        upstream(2001, Event::ResetSent { active: false, data_after_close: true }, TcpState::FinWait2, idle(SECOND));
    let mut correlator = after([reset(2000, TcpState::FinWait2, idle(SECOND)), ours]);
    let cases = correlator.flush();
    assert!(cases[0].connection.reset().is_none() && cases[0].connection.sent().is_some());
    let kernel =
        KernelCounts { received: 1, received_not_on_wire: 1, sent: 1, submitted: 2, ..KernelCounts::default() };
    let totals = correlator.resets(&kernel, &DecodeCounts { decoded: 2, refused: 0 });
    assert_eq!((totals.total(Direction::Received), totals.total(Direction::Sent)), (0, 1));
}

#[test]
fn both_ends_are_put_together_under_address_translation_by_their_sequence_numbers() {
    let behind = SocketAddr::from(([10, 244, 1, 3], 8080));
    let translated = |shift: u32| {
        let mut end = exit_close(2000, Exit::Signal(9));
        end.record_mut().local = behind;
        end.record_mut().remote = SocketAddr::from(([10, 244, 1, 1], 31_000));
        let sequence = &mut end.record_mut().snapshot.as_mut().unwrap().sequence;
        *sequence = SequenceNumbers { unacknowledged: 127 + shift, next: 127 + shift, received: 147 };
        end
    };
    let cases = after([translated(0), fin(2010, acknowledged(at(1990)))]).flush();
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].peer.as_ref().map(|peer| peer.ends().local), Some(behind));
    let cases = after([translated(1 << 30), fin(2010, acknowledged(at(1990)))]).flush();
    assert!(cases[0].peer.is_none(), "another connection of the same process");
    let cases = after([translated(0), fin(2010, acknowledged(at(1990))), {
        let mut twin = translated(0);
        twin.record_mut().remote.set_port(31_001);
        twin
    }]);
    assert!({ cases }.flush()[0].peer.is_none(), "two that fit are one too many");
}

#[test]
fn a_reset_whose_packet_is_none_is_not_taken_for_one_even_if_no_answer_was_seen() {
    let data = Packet { tcp_flags: 0x18, ttl: 64, syn_ack_ttl: None, window: 1, seq: 1, ack: Some(1), timestamp: true };
    let mut event = reset(2000, TcpState::FinWait2, idle(SECOND));
    event.record_mut().packet = Some(data);
    assert!(after([event]).flush().is_empty());
}

#[test]
fn more_ends_at_once_than_are_remembered_are_judged_early_and_none_is_lost() {
    let many = u16::try_from(MAX_CONNECTIONS).unwrap() + 100;
    let mut correlator = after((1..=many).map(|port| from_port(port, fin(2000, requested(at(1990), SECOND)))));
    assert_eq!(correlator.connections.len(), MAX_CONNECTIONS);
    assert_eq!(correlator.poll(at(2001)).len(), 100, "these had to be judged to make room");
    assert_eq!(correlator.flush().len(), MAX_CONNECTIONS);
}

#[test]
fn both_ends_on_one_host_are_put_together_and_only_the_proxys_end_is_a_case() {
    for order in [true, false] {
        let mut events = vec![exit_close(2000, Exit::Signal(9)), fin(2010, acknowledged(at(1990)))];
        if order {
            events.reverse();
        }
        let cases = after(events).flush();
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].connection.ends().local, proxy());
        assert_eq!(cases[0].peer.as_ref().unwrap().exit(), Some(Exit::Signal(9)));
    }
}

#[test]
fn the_backends_resets_are_counted_on_its_leg() {
    let mut correlator = after([peer_reset(2000), reset(2001, TcpState::Established, acknowledged(at(1990)))]);
    correlator.flush();
    let kernel = KernelCounts { received: 1, sent: 1, submitted: 2, ..KernelCounts::default() };
    let totals = correlator.resets(&kernel, &DecodeCounts { decoded: 2, refused: 0 });
    assert_eq!(totals.get(Direction::Sent, Leg::Backend), 1);
    assert_eq!(totals.get(Direction::Received, Leg::Upstream), 1);
}

#[test]
fn a_refusal_speaks_for_the_server_before_and_after_the_cut() {
    for refused_at in [1500, 2200] {
        let cases = after([fin(2000, acknowledged(at(1990))), refused(refused_at)]).flush();
        let cut = cases.iter().find(|case| case.connection.ends().local == proxy()).unwrap();
        assert!(cut.server.refused, "refused at {refused_at} ms");
    }
}

#[test]
fn connections_cut_at_once_know_of_each_other() {
    let cut = |port, ms| from_port(port, fin(ms, acknowledged(at(1990))));
    let cases = after([cut(1, 2000), cut(2, 2001), cut(3, 2040), cut(4, 3000)]).flush();
    let together: Vec<usize> = cases.iter().map(|case| case.server.cut_together).collect();
    assert_eq!(together, [2, 2, 2, 0]);
}

#[test]
fn cuts_of_a_server_that_lives_on_are_not_the_end_of_a_process() {
    let by_reset = |port, ms| from_port(port, reset(ms, TcpState::Established, acknowledged(at(1990))));
    let by_fin = |port, ms| from_port(port, fin(ms, acknowledged(at(1990))));
    let cut_many = |events: [Attributed; 3]| after(events).flush().iter().any(|case| case.server.cut_many());
    assert!(cut_many([by_reset(1, 2000), by_fin(2, 2001), by_reset(3, 2002)]), "a FIN for what it had read");
    assert!(!cut_many([by_reset(1, 2000), by_reset(2, 2001), by_reset(3, 2002)]), "all were reset");
    let mut opened_after = by_fin(3, 2030);
    opened_after.record_mut().owner.as_mut().unwrap().opened_at = at(2010);
    assert!(!cut_many([by_fin(1, 2000), by_fin(2, 2001), opened_after]), "who opened it found the server alive");
}

#[test]
fn the_idle_timeout_is_learned_from_clean_closes_and_not_from_a_crash() {
    let close = |port, ms, idle_ms| from_port(port, fin(ms, idle(Duration::from_millis(idle_ms))));
    let clean = after([close(1, 2000, 5000), close(2, 3000, 5004), close(3, 4000, 4996)]);
    let learned = |mut correlator: Correlator| {
        // Judged as time passes, as in a live session.
        for ms in [3600, 4600, 5600, 20_000] {
            correlator.poll(at(ms));
        }
        correlator.idle_timeouts().map(|(_, timeout)| timeout.value).next()
    };
    assert_eq!(learned(clean), Some(Duration::from_secs(5)));
    let crash = after([close(1, 2000, 100), close(2, 2001, 900), close(3, 2002, 4000), refused(2003)]);
    assert_eq!(learned(crash), None);
}

#[test]
fn what_an_ending_process_closes_was_not_closed_for_idleness() {
    let learned = |is_ending: bool| {
        let mut correlator = Correlator::new(SETTLE);
        for (port, ms) in [(1, 2000), (2, 4000), (3, 6000)] {
            let mut ends = vec![from_port(port, fin(ms, idle(Duration::from_millis(500))))];
            if is_ending {
                let mut end = exit_close(ms, Exit::from_wait_code(0));
                end.record_mut().remote.set_port(port);
                ends.push(end);
            }
            ends.into_iter().for_each(|event| correlator.handle(event));
            correlator.poll(at(ms + 1900));
        }
        correlator.idle_timeouts().map(|(_, timeout)| timeout.value).next()
    };
    assert_eq!(learned(false), Some(Duration::from_millis(500)));
    assert_eq!(learned(true), None);
}

#[test]
fn the_same_addresses_used_again_are_another_connection() {
    for judged_in_time in [true, false] {
        let mut again = fin(2500, requested(at(2490), SECOND));
        again.record_mut().owner.as_mut().unwrap().opened_at = at(2100);
        let [first, _] = race();
        let mut correlator = after([first]);
        let mut cases = 0;
        if judged_in_time {
            cases += correlator.poll(at(2310)).len();
        }
        correlator.handle(again);
        cases += correlator.poll(at(2501)).len() + correlator.flush().len();
        assert_eq!(cases, 2, "neither is lost");
    }
}

#[test]
fn a_client_that_left_just_before_is_noticed() {
    let mut left = from_port(443, fin(1990, idle(SECOND)));
    left.placing_mut().leg = Leg::Client;
    let ours = upstream(
        2000,
        Event::ResetSent { active: true, data_after_close: false },
        TcpState::Established,
        acknowledged(at(1900)),
    );
    let cases = after([left, ours]).flush();
    assert_eq!(cases.len(), 1, "a client's FIN is no case of its own");
    assert!(cases[0].client_left);
}

#[test]
fn a_scan_of_ports_leaves_nothing_behind() {
    let mut correlator = Correlator::new(SETTLE);
    for port in 1..2000 {
        let mut scan = from_port(port, peer_reset(2000 + u64::from(port)));
        scan.record_mut().socket = None;
        scan.record_mut().snapshot = None;
        scan.placing_mut().process = None;
        correlator.handle(scan);
    }
    assert!(correlator.poll(at(600_000)).is_empty());
    assert_eq!((correlator.connections.len(), correlator.servers.len()), (0, 0));
}
