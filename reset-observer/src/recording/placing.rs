//! Where a record belongs, as it was answered when it came.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    attribute::Attributed,
    container::Container,
    nginx::{processes::InstanceId, upstream_settings::UpstreamSettings},
    record::Record,
    verdict::{Leg, ProcessLabel, UpstreamLabel},
};

/// All that [`Attributed`] adds to a record. Many records share one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placing {
    /// Which side of nginx.
    pub leg: Leg,
    /// Who holds the connection.
    pub process: Option<Arc<ProcessLabel>>,
    /// Position of a worker among its master's; lines of JSON leave it out of [`ProcessLabel`].
    pub ordinal: Option<u32>,
    /// The container of that process.
    pub container: Option<Arc<Container>>,
    /// The server at the other end.
    pub upstream: Option<Arc<UpstreamLabel>>,
    /// What nginx's configuration says of it.
    pub settings: Option<Arc<UpstreamSettings>>,
    /// The instance of nginx.
    pub instance: Option<InstanceId>,
}

impl Placing {
    /// What was answered for a record.
    #[must_use]
    pub fn of(event: &Attributed) -> Self {
        Self {
            leg: event.leg,
            process: event.process.clone(),
            ordinal: event.process.as_ref().and_then(|process| process.ordinal),
            container: event.container.clone(),
            upstream: event.upstream.clone(),
            settings: event.settings.clone(),
            instance: event.instance,
        }
    }

    /// Whether it is the answer for this record.
    #[must_use]
    pub fn is_of(&self, event: &Attributed) -> bool {
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

    /// The record with this answer.
    #[must_use]
    pub fn place(&self, record: Arc<Record>) -> Attributed {
        Attributed {
            record,
            leg: self.leg,
            process: self.process.clone(),
            container: self.container.clone(),
            upstream: self.upstream.clone(),
            settings: self.settings.clone(),
            instance: self.instance,
        }
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
