//! Many requests that fail at once, of which it is known which connection each was on.

use super::{Answer, CLOSED, Ending, Expectation, LOG, LineJoiner, RESET, Ticket, Windows, Written, line_of};
use crate::record::KernelTime;

/// Numbers that look random, the same in each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// One failed request: what the kernel and what nginx tell of it.
struct Failure {
    request: String,
    end: Expectation,
    line_us: u64,
}

/// `count` failures of four workers and three servers within `spread_us` microseconds, logged within 3 ms each.
fn failures(dice: &mut Dice, count: u64, spread_us: u64) -> Vec<Failure> {
    let fail = |n: u64| {
        let at_us = 1_000_000 + dice.below(spread_us);
        let port = 3000 + u16::try_from(dice.below(3)).unwrap();
        let at = KernelTime(at_us * 1000);
        let ending = if dice.below(2) == 0 { Ending::Reset } else { Ending::Closed };
        let pid = 10 + u32::try_from(dice.below(4)).unwrap();
        let end = Expectation { instance: 1, pid, server: ([10, 0, 0, 1], port).into(), ending, since: at, at };
        Failure { request: format!("/{n}"), end, line_us: at_us + 100 + dice.below(3000) }
    };
    (0..count).map(fail).collect()
}

/// Feeds all to a joiner in the order of time and gives back, for each failure, its answer.
fn run(failures: &[Failure]) -> Vec<Answer> {
    let mut joiner = LineJoiner::new(Windows::default());
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (index, failure) in failures.iter().enumerate() {
        events.push((failure.end.at.0 / 1000, false, index));
        events.push((failure.line_us, true, index));
    }
    events.sort_unstable();
    let mut tickets: Vec<(Ticket, usize)> = Vec::new();
    let mut answers = Vec::new();
    for (at_us, is_line, index) in events {
        let failure = &failures[index];
        if is_line {
            let message = if failure.end.ending == Ending::Reset { RESET } else { CLOSED };
            let line = line_of(failure.end.pid, &failure.end.server.to_string(), message, &failure.request);
            let at = KernelTime(at_us * 1000);
            joiner.line(LOG, line, Written { earliest: at.before(std::time::Duration::from_millis(1)), latest: at });
        } else {
            tickets.push((joiner.expect(failure.end), index));
        }
        answers.extend(joiner.poll(KernelTime(at_us * 1000)));
    }
    answers.extend(joiner.poll(KernelTime(60_000_000_000)));
    let mut of_failure = vec![Answer::NoLine; failures.len()];
    for (ticket, answer) in answers {
        let (_, index) = tickets.iter().find(|(known, _)| *known == ticket).unwrap();
        of_failure[*index] = answer;
    }
    of_failure
}

fn check(failures: &[Failure], answers: &[Answer]) -> usize {
    let mut named = 0;
    for (failure, answer) in failures.iter().zip(answers) {
        let Answer::Joined(joined) = answer else { panic!("{answer:?}") };
        if let Some(request) = &joined.request {
            named += 1;
            assert_eq!(*request, format!("GET {} HTTP/1.1", failure.request));
        }
        assert_eq!(joined.errno, (failure.end.ending == Ending::Reset).then_some(104));
    }
    named
}

#[test]
fn of_a_thousand_failures_in_ten_seconds_nearly_all_are_named_and_none_wrongly() {
    let failures = failures(&mut Dice(7), 1000, 10_000_000);
    let named = check(&failures, &run(&failures));
    assert!(named >= 950, "{named}");
}

#[test]
fn of_a_thousand_failures_within_a_millisecond_none_is_named_wrongly_and_all_facts_in_common_are_told() {
    let failures = failures(&mut Dice(8), 1000, 1000);
    let named = check(&failures, &run(&failures));
    assert!(named < 100, "{named}");
}

#[test]
fn no_density_of_failures_leads_to_a_wrong_name() {
    for (seed, spread_us) in [(1, 10_000), (2, 100_000), (3, 1_000_000), (4, 3_000_000)] {
        let failures = failures(&mut Dice(seed), 1000, spread_us);
        check(&failures, &run(&failures));
    }
}
