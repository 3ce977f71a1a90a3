use super::*;
use crate::{
    correlate::{
        ServerFacts,
        learned::{Lesson, SavedSeries, SavedServer},
    },
    record::KernelTime,
};

fn address(server: usize) -> SocketAddr {
    SocketAddr::from((std::net::Ipv4Addr::from_bits(u32::try_from(server).unwrap()), 3000))
}

fn at(server: usize) -> KernelTime {
    KernelTime(1_000_000_000 + u64::try_from(server).unwrap())
}

/// A round trip of 1 ms.
fn learned() -> Learned {
    let round_trips_ns = SavedSeries { values: vec![1_000_000], age_ms: 0 };
    Learned::restore(&SavedServer { round_trips_ns, ..SavedServer::default() }, at(0))
}

#[test]
fn servers_are_bounded_and_those_not_heard_of_for_longest_are_forgotten_and_counted() {
    let mut servers = Servers::default();
    for server in 0..MAX_SERVERS {
        servers.entry(address(server)).recall(learned(), Stamp::at(at(server)));
    }
    servers.entry(address(0)).learn(&Lesson::default(), at(MAX_SERVERS), &ServerFacts::default());
    servers.entry(address(MAX_SERVERS)).refused(at(MAX_SERVERS));
    assert_eq!(servers.len(), MAX_SERVERS - FORGOTTEN_AT_ONCE + 1);
    assert_eq!(servers.forgotten(), u64::try_from(FORGOTTEN_AT_ONCE).unwrap());
    assert!(servers.get(&address(0)).is_some(), "heard of just now");
    assert!(servers.get(&address(1)).is_none(), "the oldest");
}

#[test]
fn servers_that_only_refused_make_room_before_those_that_something_was_learned_of() {
    let mut servers = Servers::default();
    servers.entry(address(0)).recall(learned(), Stamp::at(at(0)));
    for server in 1..3 * MAX_SERVERS {
        servers.entry(address(server)).refused(at(server));
    }
    assert!(servers.len() <= MAX_SERVERS && servers.forgotten() == 0);
    assert!(servers.get(&address(0)).is_some());
}

#[test]
fn what_was_recalled_does_not_replace_what_is_known() {
    let mut servers = Servers::default();
    servers.recall(address(1), learned(), Duration::from_secs(60), at(5));
    let before = servers.get(&address(1)).unwrap().last_seen();
    assert_eq!(before.age(at(5)), Duration::from_secs(60), "although the clock started a second ago");
    servers.recall(address(1), Learned::default(), Duration::ZERO, at(5));
    assert!(!servers.get(&address(1)).unwrap().learned().is_empty());
    servers.forget_before(KernelTime(u64::MAX));
    assert_eq!(servers.len(), 1, "what was learned is not forgotten for its age");
}
