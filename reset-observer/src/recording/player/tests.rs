use std::time::Duration;

use super::*;
use crate::{
    record::TcpState,
    recording::{entry::RECORD_BYTES, tape::Tape},
    sample,
    sink::clock::WallClock,
};
use reset_observer_ebpf::record::{Hook, RECORD_VERSION, RawRecord};
use zerocopy::IntoBytes as _;

fn player() -> Player {
    Player::new(&Header::new(KernelTime(0), WallClock::fixed(0), Duration::from_millis(300), &[]))
}

fn refused_record() -> RawRecord {
    let mut raw =
        RawRecord { version: RECORD_VERSION, hook: Hook::ReceiveReset as u8, family: 2, ..RawRecord::default() };
    raw.state_before = TcpState::SynSent as u8;
    (raw.time_ns, raw.local_port, raw.remote_port) = (1_000_000_000, 50_000, 3000);
    (raw.local_addr[0], raw.remote_addr[0], raw.socket_kind) = (10, 11, 1);
    raw
}

#[test]
fn a_record_is_judged_in_the_place_that_was_told() {
    let (raw, mut player) = (refused_record(), player());
    let bytes: &[u8; RECORD_BYTES] = raw.as_bytes().try_into().unwrap();
    let placing = (*sample::refused(1).placing).clone();
    player.play(Entry::Placing(Box::new(placing))).unwrap();
    player.play(Entry::Record(bytes, 0)).unwrap();
    let Step::Verdicts(verdicts) = player.play(Entry::Due(KernelTime(9_000_000_000))).unwrap() else { panic!() };
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].cause, crate::verdict::Cause::ConnectionRefused);
    assert_eq!(verdicts[0].process.as_ref().map(|process| process.pid), Some(3632));
}

#[test]
fn a_record_in_a_place_that_was_not_told_is_refused_in_words() {
    let raw = refused_record();
    let refused = player().play(Entry::Record(raw.as_bytes().try_into().unwrap(), 0)).unwrap_err();
    assert!(refused.to_string().contains("a place that was not told"), "{refused:#}");
}

#[test]
fn what_a_player_is_told_can_be_recorded_again() {
    let mut player = player();
    player.pipeline().record_on(Tape::new(None));
    player.play(Entry::Due(KernelTime(5))).unwrap();
    player.play(Entry::Context(Box::new(Context::LinesLost { at: KernelTime(6) }))).unwrap();
    assert!(!player.pipeline().tape().unwrap().is_empty());
}
