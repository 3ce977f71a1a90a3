use std::{sync::Arc, time::Duration};

use super::*;
use crate::{sink::example, verdict::UpstreamLabel};

const MINUTE: u64 = 60_000_000_000;

fn at(at: u64, cause: Cause) -> Verdict {
    let ends = ([10, 99, 1, 1], 50452);
    let id = VerdictId::of(KernelTime(at), None, ends.into(), ends.into());
    Verdict { at: KernelTime(at), id, cause, ..example::verdict() }
}

fn history(verdicts: impl IntoIterator<Item = Verdict>) -> History {
    let mut history = History::new();
    verdicts.into_iter().for_each(|verdict| history.add(verdict));
    history
}

#[test]
fn the_newest_come_first_and_harmless_ones_only_when_asked_for() {
    let history = history([at(1, Cause::BackendCrash), at(2, Cause::IdleClose), at(3, Cause::KeepaliveRace)]);
    let causes =
        |filter: &Filter| -> Vec<Cause> { history.newest(filter, 10).iter().map(|verdict| verdict.cause).collect() };
    assert_eq!(causes(&Filter::default()), [Cause::KeepaliveRace, Cause::BackendCrash]);
    let all = Filter { all: true, ..Filter::default() };
    assert_eq!(causes(&all), [Cause::KeepaliveRace, Cause::IdleClose, Cause::BackendCrash]);
    let idle = Filter { causes: vec![Cause::IdleClose], ..Filter::default() };
    assert_eq!(causes(&idle), [Cause::IdleClose]);
    assert_eq!(history.newest(&all, 2).len(), 2);
}

#[test]
fn a_verdict_is_found_by_upstream_server_and_id() {
    let other = UpstreamLabel { name: Some("other".into()), server: "10.0.0.9:80".into() };
    let verdict = Verdict { upstream: Some(Arc::new(other)), ..at(7, Cause::ClientAbort) };
    let id = verdict.id;
    let history = history([at(1, Cause::ClientAbort), verdict, Verdict { upstream: None, ..at(9, Cause::Unknown) }]);
    let found =
        |filter: Filter| -> Vec<u64> { history.newest(&filter, 10).iter().map(|verdict| verdict.at.0).collect() };
    assert_eq!(found(Filter { upstream: Some("other".into()), ..Filter::default() }), [7]);
    assert_eq!(found(Filter { server: Some("10.99.2.1:3000".into()), ..Filter::default() }), [1]);
    assert_eq!(found(Filter { id: Some(id), ..Filter::default() }), [7]);
    assert!(found(Filter { upstream: Some("third".into()), ..Filter::default() }).is_empty());
}

#[test]
fn a_flood_of_harmless_closes_pushes_nothing_else_out_and_all_is_bounded() {
    let mut history = history([at(1, Cause::BackendCrash)]);
    for number in 0..10_000 {
        history.add(at(number, Cause::IdleClose));
    }
    assert_eq!(history.newest(&Filter::default(), 10).len(), 1);
    for number in 0..10_000 {
        history.add(at(number, Cause::Unknown));
    }
    let all = Filter { all: true, ..Filter::default() };
    assert_eq!(history.newest(&all, usize::MAX).len(), MAX_KEPT + MAX_HARMLESS_KEPT);
    assert_eq!(history.totals().of(Cause::IdleClose), 10_000);
    assert_eq!(history.totals().harmful(), 10_001);
}

#[test]
fn verdicts_are_counted_in_the_minute_in_which_they_fell() {
    let history = history([
        at(100 * MINUTE, Cause::Unknown),
        at(101 * MINUTE + 5, Cause::Unknown),
        at(100 * MINUTE + 9, Cause::ClientAbort),
    ]);
    let buckets = history.over_time(Span::Hour, KernelTime(102 * MINUTE + 1));
    assert_eq!(buckets.len(), 60);
    let filled: Vec<(u64, u64)> = buckets
        .iter()
        .filter(|bucket| bucket.counts.harmful() > 0)
        .map(|bucket| (bucket.from.0 / MINUTE, bucket.counts.harmful()))
        .collect();
    assert_eq!(filled, [(100, 2), (101, 1)]);
    assert_eq!(buckets[59].from, KernelTime(102 * MINUTE));
    assert_eq!(
        history
            .over_time(Span::Day, KernelTime(102 * MINUTE))
            .iter()
            .map(|bucket| bucket.counts.harmful())
            .sum::<u64>(),
        3
    );
    assert!(history.over_time(Span::Hour, KernelTime(200 * MINUTE)).iter().all(|bucket| bucket.counts.harmful() == 0));
}

#[test]
fn a_timeline_early_after_boot_does_not_begin_before_it() {
    let timeline = Timeline::new(Span::Hour);
    assert_eq!(timeline.buckets(KernelTime(5)).len(), 1);
    assert_eq!(Span::Day.step() * 96, Duration::from_secs(86_400));
}

#[test]
fn servers_are_told_apart_up_to_a_bound() {
    let mut history = History::new();
    for server in 0..1000 {
        let upstream = Some(Arc::new(UpstreamLabel { name: None, server: format!("server-{server}:80") }));
        history.add(Verdict { upstream, ..at(server, Cause::Unknown) });
    }
    assert_eq!(history.servers().len(), crate::sink::servers::MAX_SERVERS + 1);
}
