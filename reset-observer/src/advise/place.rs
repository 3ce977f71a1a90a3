//! Where in nginx's configuration to write.

use super::part::{Part, say};
use crate::{correlate::Case, nginx::upstream_settings::UpstreamSettings};

/// The upstream block of the case by its name, with its place where the configuration is known.
pub(super) struct Block<'a>(pub(super) &'a Case);

impl Part for Block<'_> {
    fn say(&self, to: &mut String) {
        match self.0.connection.settings().and_then(PlacedBlock::of) {
            Some(placed) => placed.say(to),
            None => NamedBlock(self.0).say(to),
        }
    }
}

/// The upstream block as verdicts name it.
pub(super) struct NamedBlock<'a>(pub(super) &'a Case);

impl Part for NamedBlock<'_> {
    fn say(&self, to: &mut String) {
        match self.0.connection.upstream().and_then(|upstream| upstream.name.as_deref()) {
            Some(name) => say!(to, "upstream ", name),
            None => say!(to, "the upstream block"),
        }
    }
}

/// The same block by the configuration, with its place.
pub(super) struct PlacedBlock<'a>(&'a UpstreamSettings);

impl<'a> PlacedBlock<'a> {
    /// `None` for a server that `proxy_pass` names itself.
    pub(super) fn of(settings: &'a UpstreamSettings) -> Option<Self> {
        settings.block.is_some().then_some(Self(settings))
    }
}

impl Part for PlacedBlock<'_> {
    fn say(&self, to: &mut String) {
        if let Some((name, place)) = &self.0.block {
            say!(to, "upstream ", name, " (", place, ")");
        }
    }
}
