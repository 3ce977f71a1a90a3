//! The page at `/`, and the report of a session: rendered here, complete without a script, with nothing from outside.

use self::markup::Markup;
use super::{
    history::Span,
    overview::{Overview, Server},
    words,
};

mod causes;
mod episodes;
mod health;
mod markup;
mod over_time;
mod report;
mod scale;
mod servers;
mod timeouts;
mod verdicts;

pub use report::{MARK as REPORT_MARK, report};

const STYLE: &str = include_str!("html/style.css");

const SCRIPT: &str = include_str!("html/refresh.js");

/// How many servers the page shows; `/api/v1/upstreams` has them all.
const MAX_SHOWN: usize = 50;

/// The page. `nonce` is what the response's content security policy lets style and script run by.
#[must_use]
pub fn page(overview: &Overview, nonce: &str) -> String {
    let mut page = Markup::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    begin(&mut page, &overview.node);
    page.raw("<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n");
    page.raw("<style nonce=\"").text(nonce).raw("\">\n").raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n<main>\n");
    head(&mut page, overview);
    tiles(&mut page, overview);
    over_time::section(&mut page, overview);
    servers::section(&mut page, overview);
    episodes::section(&mut page, overview);
    verdicts::section(&mut page, overview);
    health::section(&mut page, overview);
    page.raw("</main>\n");
    foot(&mut page);
    page.raw("<script nonce=\"").text(nonce).raw("\">\n").raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
    page.finish()
}

/// What the head of every document of ours begins with.
fn begin(page: &mut Markup, title: &str) {
    page.raw("<title>").text(title).raw(" · reset-observer</title>\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n");
}

fn head(page: &mut Markup, overview: &Overview) {
    page.raw("<header>\n<div><h1>")
        .text(&overview.node)
        .raw("</h1>\n<p>Why connections of nginx on this host were cut ");
    page.raw("· reset-observer ").raw(env!("CARGO_PKG_VERSION")).raw("</p></div>\n");
    let uptime = words::duration(overview.now.since(overview.started));
    match &overview.ready {
        Ok(()) => page.raw("<p class=\"state ok\">watching for ").text(uptime),
        Err(reason) => page.raw("<p class=\"state bad\">not ready: ").text(reason),
    };
    page.raw(" <small>as of ").text(overview.clock.time_of_day(overview.now)).raw(" UTC</small></p>\n</header>\n");
}

fn tiles(page: &mut Markup, overview: &Overview) {
    let recent: u64 = overview.buckets.iter().map(|bucket| bucket.counts.harmful()).sum();
    let within = match overview.span {
        Span::Hour => "verdicts in the last hour",
        Span::Day => "verdicts in the last day",
    };
    let mismatched = overview.servers.iter().filter(|server| Server::is_mismatched(server)).count();
    let lost: u64 = overview.own.lost.iter().filter(|(stage, _)| !stage.is_redundant()).map(|(_, count)| count).sum();
    page.raw("<section class=\"tiles\" aria-label=\"At a glance\">\n");
    tile(page, recent, within, recent > 0);
    tile(page, count(mismatched), "servers where a race waits to happen", mismatched > 0);
    tile(page, overview.own.resets_sent + overview.own.resets_received, "resets on this host since the start", false);
    tile(page, lost, "records lost on the way", lost > 0);
    page.raw("</section>\n");
}

fn tile(page: &mut Markup, number: u64, words: &'static str, alarming: bool) {
    page.raw(if alarming { "<div class=\"tile alarm\"><b>" } else { "<div class=\"tile\"><b>" });
    page.text(grouped(number)).raw("</b><span>").raw(words).raw("</span></div>\n");
}

fn foot(page: &mut Markup) {
    page.raw("<footer><nav aria-label=\"Elsewhere\"><a href=\"/metrics\">Metrics</a> <a href=\"/api/v1/verdicts\">");
    page.raw("Verdicts as JSON</a> <a href=\"/api/v1/upstreams\">Upstreams as JSON</a> <a href=\"/-/healthy\">");
    page.raw("Health</a> <a href=\"/-/ready\">Readiness</a></nav></footer>\n");
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A number with a thin space between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = if first > 0 { vec![&digits[..first]] } else { Vec::new() };
    groups.extend((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.join("\u{202f}")
}

#[cfg(test)]
mod tests;
