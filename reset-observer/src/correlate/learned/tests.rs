use proptest::prelude::*;

use super::{series::KEPT, *};

fn at(seconds: u64) -> KernelTime {
    KernelTime(seconds * 1_000_000_000)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn taught(lessons: impl IntoIterator<Item = Lesson>) -> Learned {
    let mut learned = Learned::default();
    for (second, lesson) in (100..).step_by(10).zip(lessons) {
        learned.take(&lesson, at(second), false);
    }
    learned
}

#[test]
fn times_are_told_from_three_samples_on_with_their_age() {
    let lesson = |ms_: u64| Lesson { response: Some(ms(ms_)), round_trip: Some(ms(ms_ / 10)), ..Lesson::default() };
    assert_eq!(taught([40, 50].map(lesson)).response_time(at(200)), None);
    let learned = taught([40, 900, 50].map(lesson));
    let expected = Estimate { smallest: ms(40), median: ms(50), spread: ms(860), samples: 3, age: ms(80_000) };
    assert_eq!(learned.response_time(at(200)), Some(expected));
    assert_eq!(learned.round_trip(at(200)).map(|time| (time.smallest, time.median)), Some((ms(4), ms(5))));
}

#[test]
fn a_distance_is_a_baseline_only_if_enough_syn_acks_agree() {
    let lesson = |ttl: u8| Lesson { syn_ack_ttl: Some(ttl), ..Lesson::default() };
    assert_eq!(taught([63; 4].map(lesson)).ttl_baseline(), None);
    assert_eq!(taught([63; 5].map(lesson)).ttl_baseline(), Some(63));
    let learned = taught([63, 63, 61, 63, 63, 63].map(lesson));
    assert_eq!(learned.syn_ack_ttl(), Some(SynAckTtl { value: 63, samples: 5, others: 1 }));
    assert_eq!(learned.ttl_baseline(), None);
}

#[test]
fn sizes_at_which_responses_are_cut_are_counted() {
    let lesson = |size: u64| Lesson { cut_size: Some(size), ..Lesson::default() };
    let learned = taught([65_600, 812, 65_600, 65_600].map(lesson));
    assert_eq!((learned.cuts_at(65_600), learned.cuts_at(812), learned.cuts_at(7)), (3, 1, 0));
}

#[test]
fn what_happens_while_the_server_goes_away_is_no_sign_of_its_timeout() {
    let mut learned = Learned::default();
    for second in [100, 200, 300] {
        let lesson = Lesson { idle: Some((ms(4000), Grade::Clean)), ..Lesson::default() };
        learned.take(&lesson, at(second), true);
    }
    assert_eq!(learned.idle_timeout(), None);
}

/// Anything that a connection can show.
fn lesson() -> impl Strategy<Value = Lesson> {
    let time = || prop::option::of(any::<u64>().prop_map(Duration::from_micros));
    let grade = prop_oneof![Just(Grade::Clean), Just(Grade::Farewell)];
    let sizes = (prop::option::of(any::<u8>()), prop::option::of(any::<u64>()));
    (time(), grade, any::<bool>(), time(), time(), time(), sizes).prop_map(
        |(idle, grade, hurt, kept_for, response, round_trip, (syn_ack_ttl, cut_size))| Lesson {
            idle: idle.map(|idle| (idle, grade)),
            hurt,
            kept_for,
            response,
            round_trip,
            syn_ack_ttl,
            cut_size,
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_learned_is_bounded_and_survives_being_saved(lessons in prop::collection::vec(lesson(), 0..60)) {
        let now = at(100_000);
        let learned = taught(lessons);
        let saved = learned.save(now);
        prop_assert!(saved.idle.samples.len() <= KEPT && saved.cut_sizes.values.len() <= KEPT);
        if let Some(time) = learned.response_time(now) {
            prop_assert!(time.smallest <= time.median && time.median <= time.smallest + time.spread);
        }
        let restored = Learned::restore(&saved, now);
        prop_assert_eq!(restored.save(now), saved);
        prop_assert_eq!(restored.is_empty(), learned.is_empty() || learned.save(now) == SavedServer::default());
        prop_assert_eq!(restored.response_time(now), learned.response_time(now));
        prop_assert_eq!(restored.syn_ack_ttl(), learned.syn_ack_ttl());
    }
}
