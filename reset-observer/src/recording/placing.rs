//! Where a record belongs, as it was answered when it came.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    attribute::Attributed,
    container::Container,
    nginx::{processes::InstanceId, upstream_settings::UpstreamSettings},
    verdict::{Leg, ProcessLabel, UpstreamLabel},
};

/// All that [`Attributed`] adds to a record. Many records share one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placing {
    /// Which side of nginx; never [`Leg::Backend`], which only both ends together show.
    pub leg: Leg,
    /// Who holds the connection: on the upstream leg the worker that opened it, else the process that caused the
    /// event, where there is one.
    pub process: Option<Arc<ProcessLabel>>,
    /// Position of a worker among its master's; lines of JSON leave it out of [`ProcessLabel`].
    pub ordinal: Option<u32>,
    /// The container, pod or service of that process.
    pub container: Option<Arc<Container>>,
    /// The server at the other end, on the upstream leg.
    pub upstream: Option<Arc<UpstreamLabel>>,
    /// What nginx's configuration says of that server.
    pub settings: Option<Arc<UpstreamSettings>>,
    /// The instance of nginx, on the upstream leg.
    pub instance: Option<InstanceId>,
}

impl Placing {
    /// Of a record of which nothing was answered.
    #[must_use]
    pub const fn of_nobody() -> Self {
        Self {
            leg: Leg::Other,
            process: None,
            ordinal: None,
            container: None,
            upstream: None,
            settings: None,
            instance: None,
        }
    }

    /// Whether it is the answer for this record.
    #[must_use]
    pub fn is_of(&self, event: &Attributed) -> bool {
        let event = &*event.placing;
        let same_settings = match (&self.settings, &event.settings) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // The ordinal is part of the process.
        same_settings
            && self.leg == event.leg
            && self.process == event.process
            && self.container == event.container
            && self.upstream == event.upstream
            && self.instance == event.instance
    }

    /// Puts what its JSON keeps apart into its place.
    #[must_use]
    pub fn whole(mut self) -> Self {
        if let Some(process) = &mut self.process {
            Arc::make_mut(process).ordinal = self.ordinal;
        }
        self
    }
}
