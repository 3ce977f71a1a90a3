//! What a running observer gives up: once the programs are attached it reads maps, `/proc` and files, and answers HTTP.
//!
//! Everything here counts for the calling thread and for those it starts later, so [`enter`] comes before the first of
//! them. Each measure stands for itself; one that this host does not allow is told in words, and the others are taken.
//!
//! Landlock is for the thread alone that answers HTTP ([`web`]): who is in one of its domains may not look at any process
//! outside of it, also not to read ([source]), and `/proc/PID/root`, `fd` and `ns` of nginx are what the observer lives on.
//! What Landlock would forbid the others, to write to files, is forbidden by not being root: see [`user`].
//!
//! [source]: https://github.com/torvalds/linux/blob/v6.12/security/landlock/task.c#L77-L97

use std::{path::PathBuf, thread};

use rustix::thread::{CapabilitySet, set_no_new_privs};

mod capabilities;
mod system_calls;
pub mod user;
pub mod web;

pub use capabilities::works_without;

/// One way to give something up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Capabilities that are not needed any more.
    Capabilities,
    /// Being root.
    User,
    /// Gaining rights from the files that are executed.
    NoNewPrivs,
    /// System calls that it has no use for.
    Seccomp,
}

impl Measure {
    /// All of them, in the order in which they are taken.
    pub const ALL: [Self; 4] = [Self::User, Self::Capabilities, Self::NoNewPrivs, Self::Seccomp];

    /// The public name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::User => "user",
            Self::NoNewPrivs => "no_new_privs",
            Self::Seccomp => "seccomp",
        }
    }
}

/// What the observer will still have to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Capabilities to keep, as far as they are there.
    pub capabilities: CapabilitySet,
    /// Files that it writes later, which need not be there yet.
    pub writes: Vec<PathBuf>,
}

impl Default for Needs {
    fn default() -> Self {
        Self { capabilities: CapabilitySet::empty(), writes: Vec::new() }
    }
}

/// What became of a measure: what holds now, or why it was not taken, as phrases.
pub type Outcome = Result<String, String>;

/// What holds from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Each measure with what became of it.
    pub measures: Vec<(Measure, Outcome)>,
}

impl Sandbox {
    /// None of the measures, for this reason.
    #[must_use]
    pub fn none(reason: &str) -> Self {
        Self { measures: Measure::ALL.map(|measure| (measure, Err(reason.to_owned()))).into() }
    }

    /// Whether a measure holds.
    #[must_use]
    pub fn holds(&self, measure: Measure) -> bool {
        self.measures.iter().any(|(one, outcome)| *one == measure && outcome.is_ok())
    }

    /// What holds, as one phrase; empty if nothing does.
    #[must_use]
    pub fn in_force(&self) -> String {
        let held = self.measures.iter().filter_map(|(_, outcome)| outcome.as_deref().ok());
        held.collect::<Vec<_>>().join("; ")
    }

    /// What does not hold, each with its reason.
    pub fn shortfalls(&self) -> impl Iterator<Item = (Measure, &str)> {
        self.measures.iter().filter_map(|(measure, outcome)| Some((*measure, outcome.as_ref().err()?.as_str())))
    }
}

/// Gives up all that `needs` does not name. There is no way back.
#[must_use]
pub fn enter(needs: &Needs) -> Sandbox {
    let user = user::leave_root(&needs.writes);
    let capabilities = capabilities::keep(needs.capabilities);
    let no_new_privs = set_no_new_privs(true);
    let no_new_privs = no_new_privs.map(|()| "no new privileges".to_owned()).map_err(|error| error.to_string());
    let seccomp = system_calls::forbid();
    let outcomes = [user, capabilities, no_new_privs, seccomp];
    Sandbox { measures: Measure::ALL.into_iter().zip(outcomes).collect() }
}

/// Tries [`enter`] on a thread of its own, which ends with it: says what would hold, and changes nothing.
#[must_use]
pub fn rehearse(needs: &Needs) -> Sandbox {
    let rehearsal = thread::scope(|scope| scope.spawn(|| enter(needs)).join());
    rehearsal.unwrap_or_else(|_| Sandbox::none("the attempt panicked"))
}

#[cfg(test)]
mod tests;
