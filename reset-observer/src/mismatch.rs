//! Whether nginx keeps idle connections to a server for longer than the server does: then a race is a matter of time.
//!
//! Pure: both sides as known by now come in, what is new about them goes out.

use std::{sync::Arc, time::Duration};

mod watch;

pub use watch::{Change, News, Watch};

use crate::{
    correlate::{ExpectedRaces, IdleTimeout},
    nginx::{
        config::defaults::SHORTEST_TIMER,
        upstream_settings::{Keeps, UpstreamSettings},
    },
    verdict::UpstreamLabel,
};

/// Both sides of the idle connections to one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    /// The server, and its upstream block.
    pub upstream: UpstreamLabel,
    /// How long the backend keeps them, as learned.
    pub backend: IdleTimeout,
    /// The usual round trip to the backend, where known.
    pub round_trip: Option<Duration>,
    /// How many races the traffic seen lets expect if there is a mismatch; `None` if it says too little.
    pub expected: Option<ExpectedRaces>,
    /// nginx's side; `None` where the configuration does not tell.
    pub settings: Option<Arc<UpstreamSettings>>,
}

impl Sides {
    /// How long nginx keeps them, where the configuration tells.
    #[must_use]
    pub fn nginx(&self) -> Option<Keeps> {
        self.settings.as_deref().map(Keeps::of)
    }

    /// Whether nginx may write a request that meets the backend's close; `None` where its side is not known.
    #[must_use]
    pub fn mismatch(&self) -> Option<bool> {
        Some(match self.nginx()? {
            Keeps::Nothing => false,
            Keeps::For(timeout) => timeout > safe_up_to(&self.backend, self.round_trip),
            Keeps::Forever => true,
        })
    }
}

/// The longest idle time at which a request still reaches the backend before it closes.
///
/// The backend's timeout was measured where its FIN arrived. The FIN had left half a round trip before, and the request
/// takes another half. Closes come early by up to the spread of the samples; of a server that looks once in a while they
/// come late by it, and the shortest sample stands for all, so that no more than a fifth is taken off for it.
#[must_use]
pub fn safe_up_to(backend: &IdleTimeout, round_trip: Option<Duration>) -> Duration {
    let early = backend.spread.min(backend.value / 5);
    let margin = round_trip.unwrap_or_default().saturating_add(early).max(SHORTEST_TIMER);
    backend.value.saturating_sub(margin)
}

#[cfg(test)]
mod tests;
