//! nginx closes idle connections before the backend does: what to write for it.

use std::time::Duration;

use super::{
    family,
    part::{Directive, Part, USUAL_LEN, say},
    place::{Block, NamedBlock, PlacedBlock},
    span,
};
use crate::{
    correlate::Case,
    mismatch::{Sides, safe_up_to},
    nginx::{
        error_log::impact::NextUpstream,
        upstream_settings::{Keeps, UpstreamSettings},
    },
};

/// nginx's default for `keepalive_timeout` in an upstream block ([documentation]).
///
/// [documentation]: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout
const NGINX_DEFAULT: &str = "60s";

/// How long the backend keeps idle connections.
#[derive(Clone, Copy)]
struct Backend<'a> {
    timeout: Duration,
    /// Up to this idle time a request still reaches it.
    safe: Duration,
    /// Name of its process, where it is on this host.
    process: Option<&'a str>,
}

/// The advice for a server whose idle connections nginx keeps for longer than it does; `None` if it does not.
#[must_use]
pub fn mismatch(sides: &Sides) -> Option<String> {
    let settings = sides.settings.as_deref().filter(|_| sides.mismatch() == Some(true))?;
    let safe = safe_up_to(&sides.backend, sides.round_trip);
    let mut said = String::with_capacity(USUAL_LEN);
    close_first(settings, Backend { timeout: sides.backend.value, safe, process: None }, &mut said);
    Some(said)
}

/// The advice for a keepalive race.
pub(super) fn race(case: &Case) -> String {
    let backend = backend(case);
    let mut said = String::with_capacity(USUAL_LEN);
    let to = &mut said;
    let Some(settings) = case.connection.settings() else {
        unconfigured(case, backend, to);
        return said;
    };
    match (Keeps::of(settings), backend) {
        (Keeps::Nothing, _) => {
            say!(
                to,
                "nginx's configuration keeps no idle connections to this server, so the worker that held this one most \
                 likely runs an older configuration: see that old workers end, or raise the backend's idle timeout",
            );
            return said;
        }
        (_, Some(backend)) => close_first(settings, backend, to),
        (keeps, None) => say!(
            to,
            "the backend closes idle connections sooner than nginx does, which keeps them ",
            Kept(keeps),
            ": set keepalive_timeout in ",
            Block(case),
            " below the backend's idle timeout, or raise that well above nginx's",
        ),
    }
    say!(to, "; ", temptations(settings.next_upstream));
    said
}

fn backend(case: &Case) -> Option<Backend<'_>> {
    let snapshot = case.connection.snapshot();
    let process = case.peer.as_ref().and_then(|peer| peer.process()).map(|process| process.name.as_str());
    let learned = case.server.idle_timeout.map(|learned| {
        let safe = safe_up_to(&learned, snapshot.and_then(|snapshot| snapshot.rtt_min));
        Backend { timeout: learned.value, safe, process }
    });
    let gap = || snapshot?.idle_before_request.map(|gap| Backend { timeout: gap, safe: gap, process });
    learned.or_else(gap)
}

fn unconfigured(case: &Case, backend: Option<Backend<'_>>, to: &mut String) {
    let advised = backend.and_then(|backend| Some((backend.timeout, span::well_below(backend.timeout, backend.safe)?)));
    say!(to, "the backend closes idle connections ");
    match advised {
        Some((timeout, advised)) => {
            say!(to, "after about ", Directive(timeout), ", and nginx keeps them for ", NGINX_DEFAULT);
            say!(to, " unless told otherwise: set keepalive_timeout ", Directive(advised), " in ", NamedBlock(case));
            say!(to, ", or raise the backend's idle timeout above nginx's");
        }
        None => {
            say!(to, "sooner than nginx does: set keepalive_timeout in ", NamedBlock(case));
            say!(to, " below the backend's idle timeout, or raise that above nginx's (", NGINX_DEFAULT, " unless set)");
        }
    }
}

fn close_first(settings: &UpstreamSettings, backend: Backend<'_>, to: &mut String) {
    let keeps = Keeps::of(settings);
    say!(to, "the backend closes idle connections after about ", Directive(backend.timeout));
    say!(to, ", and nginx keeps them ", Kept(keeps));
    match (keeps, span::well_below(backend.timeout, backend.safe)) {
        (Keeps::For(timeout), _) if timeout <= backend.safe => say!(
            to,
            " only (",
            Counted(settings),
            "): the worker that held this one runs an older configuration, or the backend closes for other reasons too, \
             such as a limit of requests per connection or a stop",
        ),
        (Keeps::For(timeout), Some(advised)) => {
            say!(to, ": ", Set { settings, advised, timeout });
            say!(to, ", or raise the backend's idle timeout well above ", Directive(timeout));
            say!(to, family::how_to_raise(backend.process, backend.timeout, timeout));
        }
        (Keeps::Forever, Some(advised)) => {
            say!(to, ", for it knows no keepalive_timeout before 1.15.3: update it, and set keepalive_timeout ");
            say!(to, Directive(advised));
            if let Some(block) = PlacedBlock::of(settings) {
                say!(to, " in ", block);
            }
        }
        (Keeps::Nothing, _) | (_, None) => say!(to, ": raise the backend's idle timeout well above that"),
    }
}

/// Where to write the directive, and what counts there.
struct Set<'a> {
    settings: &'a UpstreamSettings,
    advised: Duration,
    /// In place of this one.
    timeout: Duration,
}

impl Part for Set<'_> {
    fn say(&self, to: &mut String) {
        let (advised, timeout) = (Directive(self.advised), Directive(self.timeout));
        say!(to, "set keepalive_timeout ", advised);
        if let Some((name, _)) = &self.settings.block {
            say!(to, " in upstream ", name);
        }
        match (&self.settings.keepalive_timeout_at, &self.settings.block) {
            (Some(place), _) => say!(to, ", in place of keepalive_timeout ", timeout, " at ", place),
            (None, Some((_, block))) => say!(to, " (", block, "), where nginx's default of ", timeout, " counts"),
            (None, None) => say!(to, " in the upstream block"),
        }
    }
}

/// Which setting of nginx counts.
struct Counted<'a>(&'a UpstreamSettings);

impl Part for Counted<'_> {
    fn say(&self, to: &mut String) {
        match (&self.0.keepalive_timeout_at, PlacedBlock::of(self.0)) {
            (Some(place), _) => say!(to, "keepalive_timeout at ", place),
            (None, Some(block)) => say!(to, "its default, in ", block),
            (None, None) => say!(to, "its default"),
        }
    }
}

struct Kept(Keeps);

impl Part for Kept {
    fn say(&self, to: &mut String) {
        match self.0 {
            Keeps::For(timeout) => say!(to, "for ", Directive(timeout)),
            Keeps::Forever => say!(to, "for ever"),
            Keeps::Nothing => say!(to, "not at all"),
        }
    }
}

/// What seems to help and does not, or harms.
fn temptations(retries: Option<NextUpstream>) -> &'static str {
    match retries {
        Some(NextUpstream { non_idempotent: true, .. }) => {
            "do not raise keepalive_timeout or switch keepalive off for good, and mind that proxy_next_upstream has \
             non_idempotent: a POST that was carried out, and whose answer was lost, is sent again"
        }
        Some(NextUpstream { error: false, .. }) => {
            "do not raise keepalive_timeout or switch keepalive off for good; proxy_next_upstream lacks error, so that \
             nginx does not even try a GET again"
        }
        Some(_) | None => {
            "do not raise keepalive_timeout, switch keepalive off for good, or add non_idempotent to proxy_next_upstream: a \
             POST that was carried out, and whose answer was lost, would be sent again"
        }
    }
}
