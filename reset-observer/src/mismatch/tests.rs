use super::*;
use crate::{
    nginx::config::defaults::Pool,
    sample::{configured, keeping, keeping_nothing, server},
};

fn learned(value: u64, spread: u64) -> IdleTimeout {
    IdleTimeout { value: ms(value), spread: ms(spread), samples: 3 }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn sides(value: u64, settings: Option<UpstreamSettings>) -> Sides {
    let upstream = UpstreamLabel { name: Some("backend".into()), server: server().to_string() };
    Sides {
        upstream,
        backend: learned(value, 3),
        round_trip: Some(ms(2)),
        expected: None,
        settings: settings.map(Arc::new),
    }
}

#[test]
fn a_request_must_leave_a_round_trip_and_the_spread_before_the_close() {
    assert_eq!(safe_up_to(&learned(500, 3), Some(ms(2))), ms(495));
    assert_eq!(safe_up_to(&learned(500, 0), None), ms(499), "the same time on both sides is a race");
    assert_eq!(safe_up_to(&learned(2000, 1000), None), ms(1600), "late closes are no early ones");
    assert_eq!(safe_up_to(&learned(100, 3), Some(ms(300))), Duration::ZERO);
}

#[test]
fn nginx_must_close_first() {
    let mismatch = |settings| sides(500, settings).mismatch();
    assert_eq!(mismatch(Some(configured())), Some(true), "the default of 60 s");
    assert_eq!(mismatch(Some(keeping(ms(496)))), Some(true));
    assert_eq!(mismatch(Some(keeping(ms(495)))), Some(false));
    assert_eq!(mismatch(Some(keeping_nothing())), Some(false));
    assert_eq!(mismatch(None), None, "nothing is known of nginx");
    let direct = UpstreamSettings { block: None, pool: None, ..configured() };
    assert_eq!(mismatch(Some(direct)), Some(false), "proxy_pass names the server itself");
    let old = UpstreamSettings { pool: configured().pool.map(|pool| Pool { timeout: None, ..pool }), ..configured() };
    assert_eq!(mismatch(Some(old)), Some(true), "before 1.15.3 there is no timeout");
}

#[test]
fn what_is_advised_ends_the_mismatch() {
    for value in [5, 20, 100, 500, 2000, 5001, 65_000, 350_000] {
        for (spread, round_trip) in [(0, 0), (value / 3, 0), (3, 1), (value / 20, value / 2)] {
            let backend = learned(value, spread);
            let at = |settings| Sides { backend, round_trip: Some(ms(round_trip)), ..sides(value, Some(settings)) };
            let advice = crate::advise::mismatch(&at(keeping(ms(value * 2)))).unwrap();
            let words: Vec<&str> = advice.split([' ', ',']).collect();
            let set = words.windows(3).find(|words| words[0] == "set" && words[1] == "keepalive_timeout").unwrap()[2];
            let set = crate::nginx::config::value::time(set.as_bytes()).unwrap();
            assert_eq!(at(keeping(set)).mismatch(), Some(false), "{value} {spread} {round_trip}: {advice}");
        }
    }
}

fn change(watch: &mut Watch, sides: Sides) -> Option<Change> {
    let expected = sides.expected;
    watch.look(server(), sides, || expected).map(|news| news.change)
}

#[test]
fn a_mismatch_is_said_once_and_so_is_its_end() {
    let mut watch = Watch::default();
    assert_eq!(change(&mut watch, sides(500, None)), Some(Change::Learned));
    assert_eq!(change(&mut watch, sides(500, Some(configured()))), Some(Change::MismatchFound));
    assert_eq!(change(&mut watch, sides(501, Some(configured()))), None, "medians wander");
    assert_eq!(change(&mut watch, sides(500, None)), None, "what nginx was told last stands");
    assert_eq!(change(&mut watch, sides(500, Some(keeping(ms(400))))), Some(Change::MismatchEnded));
    assert_eq!(change(&mut watch, sides(500, Some(keeping(ms(400))))), None);
    assert_eq!(change(&mut watch, sides(500, Some(configured()))), Some(Change::MismatchFound));
}

#[test]
fn a_mismatch_that_is_known_from_the_start_is_found_at_once() {
    assert_eq!(change(&mut Watch::default(), sides(500, Some(configured()))), Some(Change::MismatchFound));
}

#[test]
fn another_timeout_on_either_side_is_said() {
    let mut watch = Watch::default();
    change(&mut watch, sides(500, Some(configured())));
    assert_eq!(change(&mut watch, sides(900, Some(configured()))), Some(Change::Changed));
    assert_eq!(change(&mut watch, sides(900, Some(keeping(ms(60_000))))), Some(Change::Changed), "it has a line");
    assert_eq!(change(&mut watch, sides(900, Some(keeping(ms(75_000))))), Some(Change::Changed));
}

#[test]
fn servers_that_are_not_known_any_more_are_forgotten() {
    let mut watch = Watch::default();
    change(&mut watch, sides(500, None));
    watch.retain(|known| *known == server());
    assert_eq!(watch.len(), 1);
    watch.retain(|_| false);
    assert!(watch.is_empty());
}
