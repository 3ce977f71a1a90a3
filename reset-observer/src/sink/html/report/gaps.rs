//! How long connections to each server had lain idle, with both sides' timeouts: where nginx keeps a connection for longer
//! than the backend does, the time in which a request meets the backend's close is hatched.

use std::{cmp::Reverse, time::Duration};

use super::{Told, left_out};
use crate::{
    correlate::{Gaps, IdleGaps},
    sink::{
        html::{causes::badge, grouped, markup::Markup},
        report::ServerSeen,
        servers::ServerKey,
        upstream::{NginxTimeout, Upstream},
        words,
    },
};

mod chart;

/// How many servers are drawn.
const MOST: usize = 24;

/// What is known of the idle connections to one server.
struct Server<'a> {
    key: ServerKey,
    seen: Option<&'a ServerSeen>,
    timeouts: Option<&'a Upstream>,
    gaps: Option<&'a IdleGaps>,
    /// nginx's side, also where the backend's is not known.
    nginx: Option<NginxTimeout>,
}

pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    let servers = servers(told);
    if servers.is_empty() {
        return;
    }
    page.raw(
        "<section>\n<div class=\"title\"><h2>How long connections lay idle</h2></div>\n<p class=\"key\"><i class=\"",
    );
    page.raw("backend\"></i>the backend closed the connection <i class=\"served\"></i>the backend took a request ");
    page.raw(
        "<i class=\"below\"></i>below the line: a request was hurt, by cause <i class=\"danger\"></i>a request meets ",
    );
    page.raw("the backend&#39;s close</p>\n");
    for server in servers.iter().take(MOST) {
        entry(page, server);
    }
    let rest = servers.len().saturating_sub(MOST);
    left_out(page, u64::try_from(rest).unwrap_or(u64::MAX), "servers, with fewer verdicts,");
    page.raw("</section>\n");
}

/// Those of which anything is to be drawn: first those with a mismatch, then those with most requests hurt.
fn servers<'a>(told: &'a Told<'_>) -> Vec<Server<'a>> {
    let mut servers: Vec<Server<'_>> = Vec::new();
    for (key, seen) in &told.report.servers {
        let gaps = seen.address.and_then(|address| told.ending.gaps.get(&address));
        let nginx = gaps.and_then(|gaps| gaps.settings.as_deref()).map(NginxTimeout::from);
        servers.push(Server { key: key.clone(), seen: Some(seen), timeouts: None, gaps, nginx });
    }
    for upstream in &told.ending.upstreams {
        let key = ServerKey::from(&upstream.upstream);
        match servers.iter_mut().find(|server| server.key == key) {
            Some(server) => {
                server.timeouts = Some(upstream);
                server.nginx = upstream.nginx_timeout.clone().or_else(|| server.nginx.take());
            }
            None => {
                let nginx = upstream.nginx_timeout.clone();
                servers.push(Server { key, seen: None, timeouts: Some(upstream), gaps: None, nginx });
            }
        }
    }
    servers.retain(Server::is_known);
    servers.sort_by_key(|server| Reverse((server.is_mismatched(), server.hurt(), server.closed())));
    servers
}

impl Server<'_> {
    fn is_known(&self) -> bool {
        let gaps = self.gaps.is_some_and(|gaps| gaps.closed.total() + gaps.served.total() > 0);
        gaps || self.timeouts.is_some() || self.hurt() > 0
    }

    fn is_mismatched(&self) -> bool {
        self.timeouts.is_some_and(|timeouts| timeouts.mismatch == Some(true))
    }

    fn hurt(&self) -> u64 {
        self.seen.map_or(0, |seen| seen.hurt.values().map(Gaps::total).sum())
    }

    fn closed(&self) -> u64 {
        self.gaps.map_or(0, |gaps| gaps.closed.total())
    }
}

fn entry(page: &mut Markup, server: &Server<'_>) {
    page.raw("<article class=\"gaps\"><h3>");
    if !server.key.upstream.is_empty() {
        page.text(&server.key.upstream).raw(" ");
    }
    page.raw("<code>").text(&server.key.server).raw("</code></h3>\n<p>").text(both_sides(server)).raw("</p>\n");
    chart::draw(page, server);
    page.raw("<ul class=\"legend\">");
    if let Some(gaps) = server.gaps {
        counted(page, "backend", "closed by the backend", &gaps.closed);
        counted(page, "served", "requests taken", &gaps.served);
    }
    for (cause, gaps) in server.seen.iter().flat_map(|seen| &seen.hurt) {
        page.raw("<li>");
        badge(page, *cause);
        page.raw(" <b>").text(grouped(gaps.total())).raw("</b> ").text(spread(gaps)).raw("</li>");
    }
    page.raw("</ul>\n</article>\n");
}

fn counted(page: &mut Markup, class: &'static str, name: &'static str, gaps: &Gaps) {
    if gaps.total() > 0 {
        page.raw("<li><i class=\"").raw(class).raw("\"></i>").raw(name).raw(" <b>").text(grouped(gaps.total()));
        page.raw("</b> ").text(spread(gaps)).raw("</li>");
    }
}

/// From the shortest step to the end of the longest.
fn spread(gaps: &Gaps) -> String {
    let shortest = gaps.steps().next().map(|(from, _, _)| from);
    let longest = gaps.steps().last().map(|(_, to, _)| to);
    let words = |time: Option<Duration>| words::duration(time.unwrap_or_default());
    format!("after {} to {}", words(shortest), words(longest))
}

fn both_sides(server: &Server<'_>) -> String {
    let backend = match server.timeouts.map(|timeouts| timeouts.learned_timeout) {
        None => "The backend's idle timeout is not known: it takes three clean closes that agree".to_owned(),
        Some(learned) => format!(
            "The backend closes idle connections after about {} (closes seen: {})",
            words::milliseconds(learned.value_ms),
            learned.samples
        ),
    };
    format!("{backend}; {}.", server.nginx.as_ref().map_or_else(|| "what nginx does is not known".to_owned(), nginx))
}

fn nginx(timeout: &NginxTimeout) -> String {
    let keeps = match timeout.value_ms {
        None => "nginx never closes one".to_owned(),
        Some(0.0) => "nginx keeps none".to_owned(),
        Some(ms) => format!("nginx keeps them for {}", words::milliseconds(ms)),
    };
    match (&timeout.at, &timeout.block_at) {
        (Some(place), _) => format!("{keeps} (keepalive_timeout at {place})"),
        (None, Some(block)) => format!("{keeps} (its default, for the upstream block at {block})"),
        (None, None) => keeps,
    }
}
