//! Something between nginx and the backend forgets idle connections.

use std::time::Duration;

use super::{place, span};
use crate::{
    correlate::Case,
    nginx::upstream_settings::{Keeps, UpstreamSettings},
};

/// The kernel counts the time before its first probe in whole seconds, from one on ([source]).
///
/// [source]: https://docs.kernel.org/networking/ip-sysctl.html
const SHORTEST_PROBE: Duration = Duration::from_secs(1);

/// The advice for a connection that was forgotten on the way.
pub(super) fn forgot(case: &Case) -> String {
    let gap = case.connection.snapshot().and_then(|snapshot| snapshot.idle_before_request);
    let advised = gap.and_then(|gap| Some((gap, span::well_below(gap, gap)?)));
    match (case.connection.settings(), advised) {
        (_, None) => format!(
            "a firewall, NAT or load balancer between nginx and the backend forgets idle connections: set \
             keepalive_timeout in {} below its idle timeout, or raise that",
            place::block(case)
        ),
        (None, Some((gap, advised))) => format!(
            "{}: raise its idle timeout, or set keepalive_timeout {} or less in {}",
            forgot_within(gap),
            span::directive(advised),
            place::named_block(case)
        ),
        (Some(settings), Some((gap, advised))) => configured(settings, gap, advised),
    }
}

fn configured(settings: &UpstreamSettings, gap: Duration, advised: Duration) -> String {
    let mut ways = vec!["raise its idle timeout".to_owned()];
    ways.extend(close_first(settings, advised));
    ways.extend(probe(settings, advised));
    let (last, others) = ways.split_last().map_or((String::new(), String::new()), |(last, others)| {
        (last.clone(), others.iter().map(|way| format!("{way}, ")).collect())
    });
    let joined = if others.is_empty() { last } else { format!("{others}or {last}") };
    let warning = if Keeps::of(settings) == Keeps::Nothing { "" } else { "; do not raise keepalive_timeout" };
    format!("{}: {joined}{warning}", forgot_within(gap))
}

fn forgot_within(gap: Duration) -> String {
    format!(
        "a firewall, NAT or load balancer between nginx and the backend forgot the connection within {} of idleness",
        span::directive(gap)
    )
}

/// Nothing where nginx keeps no idle connections, or closes them soon enough already.
fn close_first(settings: &UpstreamSettings, advised: Duration) -> Option<String> {
    let block = place::block_of(settings)?;
    let set = format!("set keepalive_timeout {} or less in {block}", span::directive(advised));
    match Keeps::of(settings) {
        Keeps::For(timeout) if timeout > advised => Some(match &settings.keepalive_timeout_at {
            Some(at) => format!("{set} in place of {} at {at}", span::directive(timeout)),
            None => format!("{set}, where nginx's default of {} counts", span::directive(timeout)),
        }),
        Keeps::Forever => Some(format!("update nginx to 1.15.3 or later and {set}")),
        Keeps::For(_) | Keeps::Nothing => None,
    }
}

/// Probes keep the connection known to the middlebox, if they begin before it forgets.
fn probe(settings: &UpstreamSettings, advised: Duration) -> Option<String> {
    let seconds = (advised >= SHORTEST_PROBE).then_some(advised.as_secs())?;
    let sysctl = format!(
        "sysctl net.ipv4.tcp_keepalive_time={seconds} in nginx's network namespace (7200 unless set, which is too late)"
    );
    Some(match settings.socket_keepalive {
        Some(true) => format!("lower {sysctl}, so that proxy_socket_keepalive, which is on, has an effect"),
        Some(false) | None => format!("set proxy_socket_keepalive on together with {sysctl}"),
    })
}
