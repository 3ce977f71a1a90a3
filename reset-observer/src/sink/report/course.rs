//! Verdicts by cause over the whole of a session, however long it becomes.

use std::time::Duration;

use crate::{record::KernelTime, sink::history::CauseCounts, verdict::Cause};

/// How many steps there are at most.
const MOST: usize = 120;

/// How long a step is at first, nanoseconds.
const FIRST_STEP_NS: u64 = 100_000_000;

/// Verdicts by cause in steps of equal length, which doubles whenever the session has outgrown them.
#[derive(Clone, Debug)]
pub struct Course {
    from: KernelTime,
    step_ns: u64,
    steps: Vec<CauseCounts>,
}

impl Course {
    /// A session begins at this instant.
    #[must_use]
    pub fn start(from: KernelTime) -> Self {
        Self { from, step_ns: FIRST_STEP_NS, steps: Vec::new() }
    }

    /// One verdict more; what came before the beginning counts as at the beginning.
    pub fn add(&mut self, at: KernelTime, cause: Cause) {
        while self.step(at) >= MOST {
            self.double();
        }
        let step = self.step(at);
        if self.steps.len() <= step {
            self.steps.resize(step + 1, CauseCounts::default());
        }
        self.steps[step].add(cause);
    }

    fn step(&self, at: KernelTime) -> usize {
        usize::try_from(at.0.saturating_sub(self.from.0) / self.step_ns).unwrap_or(usize::MAX)
    }

    fn double(&mut self) {
        self.step_ns = self.step_ns.saturating_mul(2);
        self.steps =
            self.steps.chunks(2).map(|pair| pair.iter().fold(CauseCounts::default(), CauseCounts::plus)).collect();
    }

    /// How long a step is.
    #[must_use]
    pub const fn step_length(&self) -> Duration {
        Duration::from_nanos(self.step_ns)
    }

    /// When each step began, counted from the beginning of the session, and how many verdicts of this cause fell in it;
    /// those without any are left out.
    pub fn of(&self, cause: Cause) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let counts = self.steps.iter().map(move |counts| counts.of(cause)).enumerate();
        let begin =
            |step: usize| Duration::from_nanos(self.step_ns.saturating_mul(u64::try_from(step).unwrap_or(u64::MAX)));
        counts.filter(|(_, count)| *count > 0).map(move |(step, count)| (begin(step), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn course(at: impl IntoIterator<Item = u64>) -> Course {
        let mut course = Course::start(KernelTime(10 * SECOND));
        at.into_iter().for_each(|at| course.add(KernelTime(at), Cause::KeepaliveRace));
        course
    }

    #[test]
    fn verdicts_of_one_step_are_counted_together_and_early_ones_at_the_beginning() {
        let course = course([5, 10 * SECOND, 11 * SECOND, 11 * SECOND + 1]);
        let counted: Vec<_> = course.of(Cause::KeepaliveRace).collect();
        assert_eq!(counted, [(Duration::ZERO, 2), (Duration::from_secs(1), 2)]);
        assert_eq!(course.of(Cause::BackendCrash).count(), 0);
    }

    #[test]
    fn a_session_of_a_week_takes_no_more_room_and_no_verdict_is_lost() {
        let week = 7 * 24 * 3600;
        let course = course((0..week).step_by(60).map(|second| second * SECOND));
        assert!(course.steps.len() <= MOST && course.of(Cause::KeepaliveRace).count() > MOST / 4);
        assert_eq!(course.of(Cause::KeepaliveRace).map(|(_, count)| count).sum::<u64>(), week / 60);
        assert!(course.step_length() * u32::try_from(MOST).unwrap() >= Duration::from_secs(week - 60));
    }

    #[test]
    fn the_end_of_time_does_not_hang() {
        assert_eq!(course([u64::MAX]).of(Cause::KeepaliveRace).count(), 1);
    }
}
