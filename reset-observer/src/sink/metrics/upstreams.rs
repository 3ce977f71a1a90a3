//! Both sides of the idle connections to each server.

use std::time::Duration;

use super::{ByServer, ByServerSide, Metrics, Side};
use crate::{mismatch::Sides, nginx::upstream_settings::Keeps, sink::servers::ServerKey, verdict::UpstreamLabel};

impl Metrics {
    /// Takes how long one side keeps an idle connection to this server. Servers beyond the bound have no series:
    /// one timeout for many of them would mean nothing.
    fn set_idle_timeout(&mut self, upstream: &UpstreamLabel, side: Side, timeout: Duration) {
        let server = self.admit(upstream);
        if server == ServerKey::from(upstream) {
            self.upstream_idle_timeout.get_or_create(&ByServerSide::new(server, side)).set(timeout.as_secs_f64());
        }
    }

    /// Takes both sides of the idle connections to all servers whose timeout was learned, in place of those of before. A
    /// server that got its name only now is left under no other.
    pub fn set_upstreams(&mut self, upstreams: &[Sides]) {
        self.upstream_idle_timeout.clear();
        self.keepalive_mismatch.clear();
        for sides in upstreams {
            self.set_idle_timeout(&sides.upstream, Side::Backend, sides.backend.value);
            if let Some(Keeps::For(timeout)) = sides.nginx() {
                self.set_idle_timeout(&sides.upstream, Side::Nginx, timeout);
            }
            if let Some(mismatch) = sides.mismatch() {
                self.set_mismatch(&sides.upstream, mismatch);
            }
        }
    }

    fn set_mismatch(&mut self, upstream: &UpstreamLabel, mismatch: bool) {
        let server = self.admit(upstream);
        if server == ServerKey::from(upstream) {
            self.keepalive_mismatch.get_or_create(&ByServer::new(server)).set(i64::from(mismatch));
        }
    }
}
