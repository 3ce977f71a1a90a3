//! Where in nginx's configuration to write.

use crate::{correlate::Case, nginx::upstream_settings::UpstreamSettings};

/// The upstream block of the case by its name, with its place where the configuration is known.
pub(super) fn block(case: &Case) -> String {
    case.connection.settings().and_then(block_of).unwrap_or_else(|| named_block(case))
}

/// The upstream block as verdicts name it.
pub(super) fn named_block(case: &Case) -> String {
    let name = case.connection.upstream().and_then(|upstream| upstream.name.as_deref());
    name.map_or_else(|| "the upstream block".into(), |name| format!("upstream {name}"))
}

/// The same block by the configuration, with its place; `None` for a server that `proxy_pass` names itself.
pub(super) fn block_of(settings: &UpstreamSettings) -> Option<String> {
    settings.block.as_ref().map(|(name, place)| format!("upstream {name} ({place})"))
}
