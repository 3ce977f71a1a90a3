//! The server turns new connections away.

use super::place;
use crate::{correlate::Case, nginx::upstream_settings::Keeps};

/// The advice for a connection that was cut when it was opened.
pub(super) fn turned_away(case: &Case) -> String {
    let own = "the server turns new connections away: raise its listen backlog (and net.core.somaxconn) or its limit of \
               connections, or";
    let Some(settings) = case.connection.settings() else {
        return format!("{own} set max_conns on the server in the upstream block");
    };
    let Some(block) = place::block_of(settings) else {
        return format!("{own} put it in an upstream block, and set max_conns on it there");
    };
    let fewer = match Keeps::of(settings) {
        Keeps::Nothing => ", and keepalive 32 there with proxy_http_version 1.1, so that fewer connections are opened",
        Keeps::For(_) | Keeps::Forever => "",
    };
    format!("{own} set max_conns on the server in {block}{fewer}")
}
