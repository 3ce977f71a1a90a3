//! The upstream servers: how long idle connections to them are kept, and what happened to connections.

use super::{MAX_SHOWN, causes::legend, markup::Markup, timeouts};
use crate::sink::{
    overview::{Overview, Server},
    upstream::Upstream,
    words,
};

const SCALE: &str = "<span class=\"scale\" aria-hidden=\"true\"><i class=\"s1\">1 s</i><i class=\"s10\">10 s</i>\
                     <i class=\"m1\">1 min</i><i class=\"m10\">10 min</i><i class=\"h1\">1 h</i></span>";

pub(super) fn section(page: &mut Markup, overview: &Overview) {
    page.raw(
        "<section>\n<div class=\"title\"><h2>Upstream servers</h2><p class=\"key\"><i class=\"backend\"></i>backend ",
    );
    page.raw(
        "keeps idle connections <i class=\"nginx\"></i>nginx keeps them <i class=\"danger\"></i>a request meets the ",
    );
    page.raw("close</p></div>\n");
    if overview.servers.is_empty() {
        page.raw("<p class=\"empty\">Nothing is known of any server yet: an idle timeout is learned from three clean ");
        page.raw("closes of idle connections.</p>\n</section>\n");
        return;
    }
    page.raw("<div class=\"wide\"><table class=\"servers\">\n<thead><tr><th>Server</th><th>Idle timeouts ").raw(SCALE);
    page.raw("</th><th>Backend</th><th>nginx</th><th>Verdicts</th></tr></thead>\n<tbody>\n");
    for server in overview.servers.iter().take(MAX_SHOWN) {
        row(page, server);
    }
    page.raw("</tbody></table></div>\n");
    if overview.servers.len() > MAX_SHOWN {
        page.raw("<p class=\"empty\">").text(overview.servers.len() - MAX_SHOWN).raw(" more are in ");
        page.raw("<a href=\"/api/v1/upstreams\">/api/v1/upstreams</a>.</p>\n");
    }
    page.raw("</section>\n");
}

fn row(page: &mut Markup, server: &Server) {
    page.raw(if server.is_mismatched() { "<tr class=\"mismatch\">" } else { "<tr>" }).raw("<th scope=\"row\">");
    if !server.key.upstream.is_empty() {
        page.text(&server.key.upstream).raw("<br>");
    }
    page.raw("<code>").text(&server.key.server).raw("</code></th><td class=\"picture\">");
    match &server.timeouts {
        Some(upstream) => timeouts::picture(page, upstream),
        None => _ = page.raw("<span class=\"dim\">not learned yet</span>"),
    }
    let (backend, nginx) = sides(server.timeouts.as_ref());
    page.raw("</td><td data-name=\"backend\">").text(backend).raw("</td><td data-name=\"nginx\">").text(nginx);
    page.raw("</td><td>");
    legend(page, &server.counts);
    page.raw("</td></tr>\n");
    if let Some(advice) = server.timeouts.as_ref().and_then(|timeouts| timeouts.advice.as_ref()) {
        page.raw("<tr class=\"advice\"><td colspan=\"5\"><p>A race waits to happen: ")
            .text(advice)
            .raw(".</p></td></tr>\n");
    }
}

fn sides(timeouts: Option<&Upstream>) -> (String, String) {
    let Some(timeouts) = timeouts else { return ("–".into(), "–".into()) };
    let nginx = match timeouts.nginx_timeout.as_ref().map(|nginx| nginx.value_ms) {
        None => "not known".into(),
        Some(None) => "never closes".into(),
        Some(Some(0.0)) => "keeps none".into(),
        Some(Some(ms)) => words::milliseconds(ms),
    };
    (words::milliseconds(timeouts.learned_timeout.value_ms), nginx)
}
