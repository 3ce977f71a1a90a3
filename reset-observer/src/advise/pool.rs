//! nginx closes idle connections before the backend does: what to write for it.

use std::time::Duration;

use super::{family, place, span};
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
    Some(close_first(settings, Backend { timeout: sides.backend.value, safe, process: None }))
}

/// The advice for a keepalive race.
pub(super) fn race(case: &Case) -> String {
    let backend = backend(case);
    let Some(settings) = case.connection.settings() else { return unconfigured(case, backend) };
    let change = match (Keeps::of(settings), backend) {
        (Keeps::Nothing, _) => {
            return "nginx's configuration keeps no idle connections to this server, so the worker that held this one most \
                    likely runs an older configuration: see that old workers end, or raise the backend's idle timeout"
                .into();
        }
        (_, Some(backend)) => close_first(settings, backend),
        (keeps, None) => format!(
            "the backend closes idle connections sooner than nginx does, which keeps them {}: set keepalive_timeout in {} \
             below the backend's idle timeout, or raise that well above nginx's",
            kept(keeps),
            place::block(case),
        ),
    };
    format!("{change}; {}", temptations(settings.next_upstream))
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

fn unconfigured(case: &Case, backend: Option<Backend<'_>>) -> String {
    let where_to = place::named_block(case);
    let advised = backend.and_then(|backend| Some((backend.timeout, span::well_below(backend.timeout, backend.safe)?)));
    match advised {
        Some((timeout, advised)) => format!(
            "the backend closes idle connections after about {}, and nginx keeps them for {NGINX_DEFAULT} unless told \
             otherwise: set keepalive_timeout {} in {where_to}, or raise the backend's idle timeout above nginx's",
            span::directive(timeout),
            span::directive(advised),
        ),
        None => format!(
            "the backend closes idle connections sooner than nginx does: set keepalive_timeout in {where_to} below the \
             backend's idle timeout, or raise that above nginx's ({NGINX_DEFAULT} unless set)"
        ),
    }
}

fn close_first(settings: &UpstreamSettings, backend: Backend<'_>) -> String {
    let about = span::directive(backend.timeout);
    let keeps = Keeps::of(settings);
    let facts =
        format!("the backend closes idle connections after about {about}, and nginx keeps them {}", kept(keeps));
    let advised = span::well_below(backend.timeout, backend.safe).map(span::directive);
    match (keeps, advised) {
        (Keeps::For(timeout), _) if timeout <= backend.safe => format!(
            "{facts} only ({}): the worker that held this one runs an older configuration, or the backend closes for other \
             reasons too, such as a limit of requests per connection or a stop",
            counted(settings)
        ),
        (Keeps::For(timeout), Some(advised)) => format!(
            "{facts}: {}, or raise the backend's idle timeout well above {}{}",
            set(settings, &advised, timeout),
            span::directive(timeout),
            family::how_to_raise(backend.process, backend.timeout, timeout)
        ),
        (Keeps::Forever, Some(advised)) => format!(
            "{facts}, for it knows no keepalive_timeout before 1.15.3: update it, and set keepalive_timeout {advised}{}",
            place::block_of(settings).map(|block| format!(" in {block}")).unwrap_or_default()
        ),
        (Keeps::Nothing, _) | (_, None) => format!("{facts}: raise the backend's idle timeout well above that"),
    }
}

/// Where to write the directive, and what counts there.
fn set(settings: &UpstreamSettings, advised: &str, timeout: Duration) -> String {
    let timeout = span::directive(timeout);
    let name = settings.block.as_ref().map_or_else(String::new, |(name, _)| format!(" in upstream {name}"));
    match (&settings.keepalive_timeout_at, &settings.block) {
        (Some(place), _) => {
            format!("set keepalive_timeout {advised}{name}, in place of keepalive_timeout {timeout} at {place}")
        }
        (None, Some((_, block))) => {
            format!("set keepalive_timeout {advised}{name} ({block}), where nginx's default of {timeout} counts")
        }
        (None, None) => format!("set keepalive_timeout {advised} in the upstream block"),
    }
}

fn counted(settings: &UpstreamSettings) -> String {
    match (&settings.keepalive_timeout_at, place::block_of(settings)) {
        (Some(place), _) => format!("keepalive_timeout at {place}"),
        (None, Some(block)) => format!("its default, in {block}"),
        (None, None) => "its default".into(),
    }
}

fn kept(keeps: Keeps) -> String {
    match keeps {
        Keeps::For(timeout) => format!("for {}", span::directive(timeout)),
        Keeps::Forever => "for ever".into(),
        Keeps::Nothing => "not at all".into(),
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
