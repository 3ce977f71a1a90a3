//! Something between nginx and the backend forgets idle connections.

use std::time::Duration;

use super::{
    part::{Directive, Part, USUAL_LEN, say},
    place::{Block, NamedBlock, PlacedBlock},
    span,
};
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
    let mut said = String::with_capacity(USUAL_LEN);
    let to = &mut said;
    let gap = case.connection.snapshot().and_then(|snapshot| snapshot.idle_before_request);
    let advised = gap.and_then(|gap| Some((gap, span::well_below(gap, gap)?)));
    match (case.connection.settings(), advised) {
        (_, None) => say!(
            to,
            "a firewall, NAT or load balancer between nginx and the backend forgets idle connections: set \
             keepalive_timeout in ",
            Block(case),
            " below its idle timeout, or raise that",
        ),
        (None, Some((gap, advised))) => say!(
            to,
            ForgotWithin(gap),
            ": raise its idle timeout, or set keepalive_timeout ",
            Directive(advised),
            " or less in ",
            NamedBlock(case),
        ),
        (Some(settings), Some((gap, advised))) => configured(settings, gap, advised, to),
    }
    said
}

fn configured(settings: &UpstreamSettings, gap: Duration, advised: Duration, to: &mut String) {
    let (first, second) = (CloseFirst::of(settings, advised), Probe::of(settings, advised));
    let between = match (&first, &second) {
        (Some(_), Some(_)) => (", ", ", or "),
        (Some(_), None) => (", or ", ""),
        (None, Some(_)) => ("", ", or "),
        (None, None) => ("", ""),
    };
    let warning = if Keeps::of(settings) == Keeps::Nothing { "" } else { "; do not raise keepalive_timeout" };
    say!(to, ForgotWithin(gap), ": raise its idle timeout", between.0, first, between.1, second, warning);
}

struct ForgotWithin(Duration);

impl Part for ForgotWithin {
    fn say(&self, to: &mut String) {
        say!(
            to,
            "a firewall, NAT or load balancer between nginx and the backend forgot the connection within ",
            Directive(self.0),
            " of idleness",
        );
    }
}

/// How nginx closes before the connection is forgotten.
struct CloseFirst<'a> {
    settings: &'a UpstreamSettings,
    advised: Duration,
}

impl<'a> CloseFirst<'a> {
    /// Nothing where nginx keeps no idle connections, or closes them soon enough already.
    fn of(settings: &'a UpstreamSettings, advised: Duration) -> Option<Self> {
        let too_long = match Keeps::of(settings) {
            Keeps::For(timeout) => timeout > advised,
            Keeps::Forever => true,
            Keeps::Nothing => false,
        };
        (too_long && settings.block.is_some()).then_some(Self { settings, advised })
    }
}

impl Part for CloseFirst<'_> {
    fn say(&self, to: &mut String) {
        let (settings, keeps) = (self.settings, Keeps::of(self.settings));
        if keeps == Keeps::Forever {
            say!(to, "update nginx to 1.15.3 or later and ");
        }
        say!(to, "set keepalive_timeout ", Directive(self.advised), " or less in ", PlacedBlock::of(settings));
        match (keeps, &settings.keepalive_timeout_at) {
            (Keeps::For(timeout), Some(at)) => say!(to, " in place of ", Directive(timeout), " at ", at),
            (Keeps::For(timeout), None) => say!(to, ", where nginx's default of ", Directive(timeout), " counts"),
            (Keeps::Forever | Keeps::Nothing, _) => {}
        }
    }
}

/// Probes keep the connection known to the middlebox, if they begin before it forgets.
struct Probe {
    seconds: u64,
    are_sent: bool,
}

impl Probe {
    fn of(settings: &UpstreamSettings, advised: Duration) -> Option<Self> {
        let seconds = (advised >= SHORTEST_PROBE).then_some(advised.as_secs())?;
        Some(Self { seconds, are_sent: settings.socket_keepalive == Some(true) })
    }
}

impl Part for Probe {
    fn say(&self, to: &mut String) {
        let (before, after) = if self.are_sent {
            ("lower ", ", so that proxy_socket_keepalive, which is on, has an effect")
        } else {
            ("set proxy_socket_keepalive on together with ", "")
        };
        say!(
            to,
            before,
            "sysctl net.ipv4.tcp_keepalive_time=",
            self.seconds,
            " in nginx's network namespace (7200 unless set, which is too late)",
            after,
        );
    }
}
