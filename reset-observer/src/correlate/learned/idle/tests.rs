use proptest::prelude::*;

use super::*;
use crate::correlate::learned::saved::milliseconds;

/// Milliseconds of kernel time.
fn at(ms: u64) -> KernelTime {
    KernelTime(ms * 1_000_000)
}

/// Closes that are ten seconds apart, after so many milliseconds of idleness each.
fn closes(samples: &mut IdleSamples, idle_ms: &[u64]) {
    for &ms in idle_ms {
        let last = samples.updated().clock();
        samples.add(Duration::from_millis(ms), Grade::Clean, last.after(Duration::from_secs(10)));
    }
}

fn learned(idle_ms: &[u64]) -> Option<IdleTimeout> {
    let mut samples = IdleSamples::default();
    closes(&mut samples, idle_ms);
    samples.estimate().map(|(timeout, _)| timeout)
}

fn value(samples: &IdleSamples) -> Option<u64> {
    samples.estimate().map(|(timeout, _)| milliseconds(timeout.value))
}

fn value_of(idle_ms: &[u64]) -> Option<u64> {
    learned(idle_ms).map(|timeout| milliseconds(timeout.value))
}

#[test]
fn an_idle_timeout_is_learned_from_three_clean_closes() {
    assert_eq!(value_of(&[5000, 5004]), None);
    let timeout = learned(&[5000, 5004, 4996]).unwrap();
    assert_eq!((timeout.value, timeout.samples), (Duration::from_secs(5), 3));
    assert!(timeout.matches(Duration::from_millis(5200)) && !timeout.matches(Duration::from_millis(5600)));
    assert!(timeout.is_far_above(Duration::from_millis(3900)) && !timeout.is_far_above(Duration::from_secs(5)));
}

#[test]
fn three_closes_that_do_not_agree_are_no_timeout() {
    assert_eq!(value_of(&[700, 5000, 2400]), None);
    assert_eq!(value_of(&[21, 60, 33, 150, 1200, 90, 400, 25]), None, "recycled workers close at any age");
}

#[test]
fn closes_for_other_reasons_lie_below_a_timeout_and_do_not_move_it() {
    assert_eq!(value_of(&[5000, 300, 5004, 2200, 5001, 4100, 5000]), Some(5001));
    assert_eq!(value_of(&[5000, 90, 5004, 2200, 5001, 41, 5000, 700, 1900, 55]), Some(5001), "more than half of them");
}

#[test]
fn one_close_that_came_too_late_does_not_move_it() {
    assert_eq!(value_of(&[5000, 5004, 9000, 5001, 5000]), Some(5001));
}

#[test]
fn a_changed_timeout_is_believed_after_three_closes_if_it_is_longer_and_after_six_if_it_is_shorter() {
    for (before, after, few) in [(60_000, 5000, 5), (5000, 60_000, 2), (5000, 4000, 5), (75, 20_000, 2)] {
        let mut samples = IdleSamples::default();
        closes(&mut samples, &[before; 16]);
        closes(&mut samples, &vec![after; few]);
        assert_eq!(value(&samples), Some(before), "so few may have had other reasons");
        closes(&mut samples, &[after]);
        assert_eq!(value(&samples), Some(after), "{before} ms became {after} ms");
        closes(&mut samples, &[after / 3, after]);
        assert_eq!(value(&samples), Some(after), "and stays so");
    }
}

#[test]
fn connections_that_fell_idle_together_and_are_closed_together_are_one_sample() {
    let mut samples = IdleSamples::default();
    for burst in 1..=3 {
        assert_eq!(value(&samples), None, "before burst {burst}");
        for connection in 0..40 {
            let idle = Duration::from_millis(5000 + connection % 3);
            samples.add(idle, Grade::Clean, at(burst * 20_000 + connection / 8));
        }
    }
    assert_eq!(value(&samples), Some(5000));
    assert_eq!(samples.estimate().unwrap().0.samples, 3);
}

#[test]
fn a_deploy_closes_connections_of_all_ages_at_once_and_teaches_nothing() {
    let mut samples = IdleSamples::default();
    for deploy in 1..=5 {
        for (ms, idle) in [(0, 4000), (1, 90), (1, 4010), (2, 2500), (30, 4005)] {
            samples.add(Duration::from_millis(idle), Grade::Clean, at(deploy * 60_000 + ms));
        }
    }
    assert_eq!(value(&samples), None);
    closes(&mut samples, &[5000, 5001, 5002]);
    assert_eq!(value(&samples), Some(5001));
}

#[test]
fn what_is_closed_beside_a_connection_in_use_was_not_closed_for_idleness() {
    for said_first in [true, false] {
        let mut samples = IdleSamples::default();
        for deploy in [60_000, 120_000, 180_000] {
            if said_first {
                samples.disturb(at(deploy + 10));
            }
            samples.add(Duration::from_secs(4), Grade::Clean, at(deploy));
            if !said_first {
                samples.disturb(at(deploy + 10));
            }
        }
        assert_eq!(value(&samples), None, "said first: {said_first}");
    }
}

#[test]
fn a_server_that_looks_once_a_second_is_learned_by_its_earliest_closes() {
    // gunicorn's threads with `keepalive = 2`: two to three seconds.
    let idle = [2310, 2870, 2050, 2640, 2990, 2420, 2150, 2730];
    assert_eq!(value_of(&idle[..4]), None, "so few could lie so by chance");
    let timeout = learned(&idle).unwrap();
    assert_eq!((timeout.value, timeout.spread), (Duration::from_millis(2050), Duration::from_millis(940)));
    assert!(timeout.matches(Duration::from_millis(2900)) && timeout.matches(Duration::from_millis(1900)));
    assert!(!timeout.matches(Duration::from_millis(1500)));
    let mut at_once = IdleSamples::default();
    for look in 1..=8 {
        for idle in [2100, 2500, 2950] {
            at_once.add(Duration::from_millis(idle + look), Grade::Clean, at(look * 1000));
        }
    }
    assert_eq!(value(&at_once), Some(2105), "each look closes connections of several ages");
}

#[test]
fn a_busy_servers_endless_closes_are_many_samples() {
    let mut samples = IdleSamples::default();
    for close in 0..200 {
        samples.add(Duration::from_secs(5), Grade::Clean, at(100_000 + close * 20));
    }
    assert_eq!(value(&samples), Some(5000));
}

#[test]
fn a_request_that_was_taken_after_a_longer_time_disproves_shorter_samples() {
    let mut samples = IdleSamples::default();
    closes(&mut samples, &[3000, 3000, 3000, 9000]);
    assert_eq!(value(&samples), Some(3000));
    samples.survived(Duration::from_secs(8));
    assert_eq!((value(&samples), samples.kept()), (None, Some(Duration::from_secs(8))));
    closes(&mut samples, &[9000, 9000]);
    assert_eq!(value(&samples), Some(9000));
}

#[test]
fn farewells_count_only_where_there_are_no_clean_closes() {
    let mut samples = IdleSamples::default();
    for close in 1..=3 {
        samples.add(Duration::from_millis(5000 + close), Grade::Farewell, at(close * 10_000));
    }
    assert_eq!(samples.estimate().map(|(_, grade)| grade), Some(Grade::Farewell));
    closes(&mut samples, &[7000, 7000, 7000]);
    let (timeout, grade) = samples.estimate().unwrap();
    assert_eq!((timeout.value, grade), (Duration::from_secs(7), Grade::Clean));
}

#[test]
fn responses_that_end_with_their_connection_are_no_timeout_unless_they_all_take_the_same_time() {
    let mut samples = IdleSamples::default();
    for (close, ms) in (1_u64..).zip([3, 210, 40, 1900, 700, 55, 90, 380, 1200, 25, 160, 2400]) {
        samples.add(Duration::from_millis(ms), Grade::Farewell, at(close * 10_000));
    }
    assert_eq!(value(&samples), None);
}

/// What can happen to a server's connections: a close, or the end of one in use, or a request after a long time.
fn happening() -> impl Strategy<Value = (u8, u64, u64, bool)> {
    (0..8_u8, prop_oneof![0..20_000_u64, any::<u64>()], prop_oneof![0..100_u64, any::<u64>()], any::<bool>())
}

proptest! {
    #[test]
    fn an_estimate_lies_within_its_samples(happenings in prop::collection::vec(happening(), 0..80)) {
        let mut samples = IdleSamples::default();
        let (mut now, mut seen) = (KernelTime(0), Vec::new());
        for (what, idle_ms, later_ms, farewell) in happenings {
            now = now.after(Duration::from_millis(later_ms));
            let idle = Duration::from_millis(idle_ms);
            match what {
                0 => samples.disturb(now),
                1 => samples.survived(idle),
                _ => {
                    let grade = if farewell { Grade::Farewell } else { Grade::Clean };
                    samples.add(idle, grade, now);
                    // The file counts nanoseconds up to 584 years.
                    seen.push(Duration::from_nanos(nanoseconds(idle)));
                }
            }
            if let Some((timeout, _)) = samples.estimate() {
                prop_assert!(seen.contains(&timeout.value));
                prop_assert!(timeout.spread <= *seen.iter().max().unwrap() - *seen.iter().min().unwrap());
                prop_assert!((ENOUGH_SAMPLES..=KEPT + 1).contains(&timeout.samples));
                prop_assert!(timeout.matches(timeout.value) && !timeout.is_far_above(timeout.value));
            }
        }
        let saved = samples.save(now);
        prop_assert!(saved.samples.len() <= KEPT);
        prop_assert_eq!(IdleSamples::restore(&saved, now).save(now), saved);
    }

    #[test]
    fn a_timeout_is_found_among_fewer_closes_for_other_reasons_that_do_not_agree(
        timeout_ms in 100..120_000_u64,
        shorter_by in prop::collection::vec(0.0..0.75_f64, 0..4),
        order in any::<u64>(),
    ) {
        let timeout = Duration::from_millis(timeout_ms);
        let shorter = |known: &mut Duration, part: &f64| {
            *known = known.mul_f64(*part);
            Some(*known)
        };
        let mut all: Vec<Duration> = shorter_by.iter().scan(timeout, shorter).collect();
        all.extend([timeout; 5]);
        let turn = usize::try_from(order % 9).unwrap() % all.len();
        all.rotate_left(turn);
        let mut samples = IdleSamples::default();
        for (close, idle) in (1_u64..).zip(all) {
            samples.add(idle, Grade::Clean, at(close * 200_000));
        }
        prop_assert_eq!(samples.estimate().map(|(timeout, _)| timeout.value), Some(timeout));
    }
}
