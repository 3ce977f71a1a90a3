use super::*;
use crate::{comparison::Conclusion, sink::example, verdict::Cause};

const SECOND: u64 = 1_000_000_000;

fn race_at(second: u64) -> Verdict {
    Verdict { at: KernelTime(second * SECOND), cause: Cause::KeepaliveRace, ..example::verdict() }
}

fn opened(connections: u64) -> KernelCounts {
    KernelCounts { owners_remembered: connections, ..KernelCounts::default() }
}

fn halves(races: impl IntoIterator<Item = u64>) -> Halves {
    let mut halves = Halves::start(KernelTime(10 * SECOND));
    races.into_iter().for_each(|second| halves.add(&race_at(second), false));
    halves
}

#[test]
fn what_came_before_the_mark_is_compared_with_what_came_after() {
    let mut halves = halves(11..51);
    halves.mark(KernelTime(60 * SECOND), opened(500), 40);
    let comparison = halves.end(KernelTime(110 * SECOND), opened(1100), 41).unwrap();
    let (before, after) = (&comparison.before, &comparison.after);
    assert_eq!((before.duration_s, before.connections, before.records), (50.0, 500, 40));
    assert_eq!((after.duration_s, after.connections, after.records), (50.0, 600, 1));
    assert_eq!(comparison.causes[0].conclusion, Conclusion::Gone);
}

#[test]
fn a_verdict_that_falls_after_the_mark_counts_where_its_connection_ended() {
    let mut halves = halves([11]);
    halves.mark(KernelTime(60 * SECOND), opened(0), 0);
    halves.add(&race_at(59), false);
    halves.add(&race_at(60), false);
    let comparison = halves.end(KernelTime(70 * SECOND), opened(0), 0).unwrap();
    assert_eq!((comparison.causes[0].before, comparison.causes[0].after), (2, 1));
}

#[test]
fn only_the_newest_mark_counts() {
    let mut halves = halves([11, 12]);
    halves.mark(KernelTime(20 * SECOND), opened(7), 2);
    halves.mark(KernelTime(30 * SECOND), opened(9), 2);
    halves.add(&race_at(19), false);
    halves.add(&race_at(29), false);
    let comparison = halves.end(KernelTime(40 * SECOND), opened(10), 3).unwrap();
    assert_eq!(
        (comparison.causes[0].before, comparison.causes[0].after),
        (1, 0),
        "the first stretch is of no interest"
    );
    assert_eq!((comparison.before.duration_s, comparison.before.connections), (10.0, 2));
}

#[test]
fn a_session_without_a_mark_compares_nothing() {
    assert!(halves([11]).end(KernelTime(20 * SECOND), opened(5), 1).is_none());
}
