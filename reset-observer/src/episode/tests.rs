use super::*;
use crate::{
    attribute::Attributed,
    classify::{classify, conclude},
    correlate::Correlator,
    record::{Exit, TcpState},
    sample::{acknowledged, at, exit_close, fin, from_port, idle, proxy, refused, reset},
};

const SETTLE: Duration = Duration::from_millis(300);
const SECOND: Duration = Duration::from_secs(1);

/// The episodes of a session that ends at `end_ms`, and the names that verdicts bore.
fn session(events: impl IntoIterator<Item = Attributed>, end_ms: u64) -> (Vec<Episode>, Vec<Option<String>>) {
    let (mut correlator, mut episodes) = (Correlator::new(SETTLE), Episodes::new(SETTLE));
    let (mut over, mut names) = (Vec::new(), Vec::new());
    let mut events = events.into_iter().peekable();
    for ms in (0..=end_ms).step_by(100) {
        while let Some(event) = events.next_if(|event| event.record.at <= at(ms)) {
            correlator.handle(event);
        }
        for case in correlator.poll(at(ms)) {
            let verdict = conclude(&case, classify(&case));
            names.push(episodes.take(&case, &verdict));
        }
        over.extend(episodes.poll(at(ms)));
    }
    over.extend(episodes.flush());
    (over, names)
}

fn cut(port: u16, ms: u64) -> Attributed {
    from_port(port, fin(ms, acknowledged(at(ms - 10))))
}

fn refuses(port: u16, ms: u64) -> Attributed {
    from_port(port, refused(ms))
}

/// A connection opened at `opened_ms` that is closed for idleness at `ms`.
fn serves(port: u16, opened_ms: u64, ms: u64) -> Attributed {
    let mut event = from_port(port, fin(ms, idle(SECOND)));
    event.record_mut().owner.as_mut().unwrap().opened_at = at(opened_ms);
    event
}

#[test]
fn connections_cut_together_and_refused_after_are_one_episode_with_bounds_of_its_length() {
    let idle_one = from_port(3, fin(5002, idle(SECOND)));
    let events = [cut(1, 5000), cut(2, 5001), idle_one, refuses(60, 5100), refuses(61, 7100), serves(9, 7600, 9000)];
    let (episodes, names) = session(events, 30_000);
    let [episode] = &episodes[..] else { panic!("{episodes:#?}") };
    assert_eq!((episode.cause, episode.confidence), (Cause::BackendCrash, Confidence::Medium));
    assert_eq!((episode.connections, episode.refused, episode.requests_hurt()), (3, 2, 4));
    assert_eq!(episode.away.at_least, Duration::from_millis(2100));
    assert_eq!(episode.away.at_most, Some(Duration::from_millis(2600)));
    let named = names.iter().flatten().filter(|name| **name == episode.id).count();
    assert_eq!((named, names.len()), (5, 6), "all but the connection of the server that was back");
    assert_eq!(episode.causes[&Cause::IdleClose], 1);
}

#[test]
fn how_the_process_ended_is_told_where_it_is_known() {
    let mut hurt = fin(5000, acknowledged(at(4990)));
    hurt.record_mut().local = proxy();
    let (episodes, _) = session([exit_close(4999, Exit::Signal(9)), hurt], 6000);
    let [episode] = &episodes[..] else { panic!("{episodes:#?}") };
    assert_eq!((episode.cause, episode.confidence), (Cause::BackendCrash, Confidence::High));
    assert_eq!(episode.exit.as_deref(), Some("SIGKILL"));
    assert_eq!(episode.process.as_ref().map(|process| process.pid), Some(77));
    assert!(episode.to_string().contains("node (pid 77), SIGKILL; connections cut 1, refused 0"), "{episode}");
}

#[test]
fn a_server_that_drains_is_no_episode_and_neither_is_an_abort() {
    let draining = (1..20).map(|port| from_port(port, fin(5000, idle(SECOND))));
    assert!(session(draining, 30_000).0.is_empty());
    assert!(session([reset(5000, TcpState::Established, acknowledged(at(4990)))], 30_000).0.is_empty());
}

#[test]
fn a_second_crash_after_the_server_was_back_is_a_second_episode() {
    let events = [cut(1, 5000), refuses(60, 5100), serves(9, 5600, 7000), cut(2, 9000), refuses(61, 9100)];
    let (episodes, _) = session(events, 30_000);
    assert_eq!(episodes.len(), 2, "{episodes:#?}");
    assert_eq!(episodes[1].away.at_most, None);
}

#[test]
fn refusals_alone_are_an_episode_that_lasts_while_they_come() {
    let events = (0..4).map(|n| refuses(60 + u16::try_from(n).unwrap(), 5000 + n * 10_000));
    let (episodes, _) = session(events, 60_000);
    let [episode] = &episodes[..] else { panic!("{episodes:#?}") };
    assert_eq!((episode.cause, episode.refused, episode.connections), (Cause::ConnectionRefused, 4, 0));
    assert_eq!(episode.away.at_least, Duration::from_secs(30));
}

#[test]
fn many_servers_that_are_away_at_a_time_are_bounded() {
    let (mut correlator, mut episodes) = (Correlator::new(SETTLE), Episodes::new(SETTLE));
    for port in 1..=2000 {
        let mut event = refuses(port, 5000);
        event.record_mut().remote.set_port(port);
        correlator.handle(event);
    }
    for case in correlator.flush() {
        episodes.take(&case, &conclude(&case, classify(&case)));
    }
    assert_eq!(episodes.poll(at(5000)).len(), 2000 - 1024);
    assert_eq!(episodes.flush().len(), 1024);
}
