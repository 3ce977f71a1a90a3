use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: f64) -> KernelTime {
    KernelTime(0).after(Duration::from_secs_f64(seconds))
}

/// Gaps of a Poisson process, by a small generator of pseudo-random numbers.
struct Gaps {
    state: u64,
    rate: f64,
}

impl Gaps {
    fn next(&mut self) -> f64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = f64::from(u32::try_from(self.state >> 33).unwrap() + 1) / f64::from(1_u32 << 31);
        -uniform.min(1.0).ln() / self.rate
    }
}

/// One pooled connection after another: closes as they are learned, and the races that really happened.
fn simulate(rate: f64, timeout: f64, window: f64, hours: f64) -> (Reuse, f64, f64) {
    let (mut reuse, mut gaps) = (Reuse::default(), Gaps { state: 7, rate });
    let (mut clock, mut races) = (0.0, 0.0);
    while clock < hours * 3600.0 {
        let opened = clock;
        loop {
            let gap = gaps.next();
            if gap < timeout {
                clock += gap;
                continue;
            }
            clock += timeout;
            races += f64::from(gap < timeout + window);
            break;
        }
        reuse.closed(at(clock), Duration::from_secs_f64(clock - opened));
    }
    (reuse, races / hours, clock)
}

#[test]
fn the_expectation_is_of_the_order_of_what_happens_with_random_requests() {
    let round_trip = Duration::from_millis(39);
    for (rate, timeout) in [(0.2, 5.0), (1.0, 2.0), (2.0, 1.0), (0.05, 5.0)] {
        let (reuse, happened, end) = simulate(rate, timeout, 0.040, 300.0);
        let expected = reuse.expected(Duration::from_secs_f64(timeout), Some(round_trip), at(end)).unwrap();
        let ratio = expected.per_hour / happened;
        assert!((0.4..2.5).contains(&ratio), "{rate}/s, {timeout} s: {expected:?}, {happened} happened per hour");
    }
}

#[test]
fn connections_that_are_never_used_again_meet_no_race() {
    let mut reuse = Reuse::default();
    for second in 1..=20 {
        reuse.closed(at(f64::from(second)), SECOND);
    }
    let expected = reuse.expected(SECOND, None, at(21.0)).unwrap();
    assert!(expected.per_hour < 0.01, "{expected:?}");
    assert_eq!(expected.over, Duration::from_secs(20));
}

#[test]
fn too_few_closes_or_too_short_a_time_say_nothing_and_old_ones_do_not_count() {
    let mut reuse = Reuse::default();
    for second in 1..=4 {
        reuse.closed(at(f64::from(second)), 2 * SECOND);
    }
    assert_eq!(reuse.expected(SECOND, None, at(60.0)), None);
    reuse.closed(at(5.0), 2 * SECOND);
    assert!(reuse.expected(SECOND, None, at(60.0)).is_some());
    assert_eq!(reuse.expected(SECOND, None, at(6.0)), None);
    assert_eq!(reuse.expected(SECOND, None, at(7200.0)), None);
}
