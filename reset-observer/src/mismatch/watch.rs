//! What is new about the two sides of each server.

use std::{net::SocketAddr, time::Duration};

use foldhash::HashMap;
use serde::Serialize;

use super::Sides;
use crate::{correlate::ExpectedRaces, nginx::config::directive::Place};

/// A learned timeout is another one if it differs by more than this, or by a twentieth: medians wander a little.
const SAME: Duration = Duration::from_millis(20);

/// What became of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The backend's timeout is known, and nothing is wrong with it as far as is known.
    Learned,
    /// One of the two timeouts is another than before, or the server's name is; or how many races are to be expected is
    /// known for the first time.
    Changed,
    /// nginx keeps idle connections for longer than the backend.
    MismatchFound,
    /// It does no longer.
    MismatchEnded,
}

/// Something new.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Both sides as they are.
    pub sides: Sides,
    /// What became of them.
    pub change: Change,
}

/// Remembers what was said of each server, so that it is said once.
#[derive(Debug, Default)]
pub struct Watch {
    said: HashMap<SocketAddr, Sides>,
}

impl Watch {
    /// What is new about a server, to be said. What a server's nginx was told last stands while nothing is known of it.
    /// How many races are to be expected is worked out only where it matters.
    pub fn look(
        &mut self,
        server: SocketAddr,
        sides: Sides,
        expected: impl Fn() -> Option<ExpectedRaces>,
    ) -> Option<News> {
        let change = match self.said.get(&server) {
            None if sides.mismatch() == Some(true) => Change::MismatchFound,
            None => Change::Learned,
            Some(said) if sides.settings.is_none() && said.settings.is_some() => return None,
            Some(said) => match (said.mismatch() == Some(true), sides.mismatch() == Some(true)) {
                (false, true) => Change::MismatchFound,
                (true, false) => Change::MismatchEnded,
                (true, true) | (false, false) if differ(said, &sides, &expected) => Change::Changed,
                (true, true) | (false, false) => return None,
            },
        };
        let sides = Sides { expected: expected(), ..sides };
        self.said.insert(server, sides.clone());
        Some(News { sides, change })
    }

    /// For how many servers something is remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.said.len()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Forgets the servers that are not `known` any more.
    pub fn retain(&mut self, known: impl Fn(&SocketAddr) -> bool) {
        self.said.retain(|server, _| known(server));
    }
}

fn differ(said: &Sides, sides: &Sides, expected: impl Fn() -> Option<ExpectedRaces>) -> bool {
    let (before, after) = (said.backend.value, sides.backend.value);
    let learned = before.abs_diff(after) > SAME.max(before / 20);
    let expected = || said.expected.is_none() && sides.mismatch() == Some(true) && expected().is_some();
    learned
        || said.upstream != sides.upstream
        || said.nginx() != sides.nginx()
        || place(said) != place(sides)
        || expected()
}

fn place(sides: &Sides) -> Option<&Place> {
    sides.settings.as_ref()?.keepalive_timeout_at.as_ref()
}
