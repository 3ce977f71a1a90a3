//! The server turns new connections away.

use super::{
    part::{USUAL_LEN, say},
    place::PlacedBlock,
};
use crate::{correlate::Case, nginx::upstream_settings::Keeps};

/// What helps whatever nginx is told.
const OWN: &str = "the server turns new connections away: raise its listen backlog (and net.core.somaxconn) or its limit of \
                   connections, or";

/// The advice for a connection that was cut when it was opened.
pub(super) fn turned_away(case: &Case) -> String {
    let mut said = String::with_capacity(USUAL_LEN);
    say!(&mut said, OWN);
    let Some(settings) = case.connection.settings() else {
        say!(&mut said, " set max_conns on the server in the upstream block");
        return said;
    };
    let Some(block) = PlacedBlock::of(settings) else {
        say!(&mut said, " put it in an upstream block, and set max_conns on it there");
        return said;
    };
    let fewer = match Keeps::of(settings) {
        Keeps::Nothing => ", and keepalive 32 there with proxy_http_version 1.1, so that fewer connections are opened",
        Keeps::For(_) | Keeps::Forever => "",
    };
    say!(&mut said, " set max_conns on the server in ", block, fewer);
    said
}
