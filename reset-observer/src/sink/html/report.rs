//! The report of a session: one file that a browser shows from disk, complete without a script and without a network.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

use super::{
    STYLE, begin, grouped,
    markup::Markup,
    tile,
    verdicts::{self, Times},
};
use crate::{
    record::KernelTime,
    sink::{
        report::{Ending, Report},
        words,
    },
    verdict::{Cause, Impact},
};

mod advice;
mod causes;
mod episodes;
mod gaps;
mod requests;
mod seen;
mod timeline;

/// What is laid out other than on the page.
const REPORT_STYLE: &str = include_str!("report/report.css");

/// What a file begins with that may be replaced by another report.
pub const MARK: &str = "<!doctype html>\n<!-- reset-observer report -->\n";

/// What is drawn over the time in which a request meets the backend's close: to be seen without colours too.
const HATCH: &str = "<svg class=\"defined\" aria-hidden=\"true\" width=\"0\" height=\"0\"><defs><pattern id=\"hatch\" \
                     patternUnits=\"userSpaceOnUse\" width=\"7\" height=\"7\" patternTransform=\"rotate(45)\"><rect \
                     class=\"danger\" width=\"3\" height=\"7\"/></pattern></defs></svg>\n";

/// What every section is made of.
struct Told<'a> {
    report: &'a Report,
    ending: &'a Ending,
    from: KernelTime,
    to: KernelTime,
    times: Times,
}

/// The report as HTML.
#[must_use]
pub fn report(report: &Report, ending: &Ending) -> String {
    let to = ending.summary.ended_at();
    let from = report.ready.as_ref().map_or(to, |ready| ready.at);
    let day = |at| report.clock.timestamp(at).strftime("%F").to_string();
    let times = Times { clock: report.clock, dated: day(from) != day(to) };
    let told = Told { report, ending, from, to, times };
    let mut page = Markup::default();
    page.raw(MARK);
    head(&mut page, &told);
    tiles(&mut page, &told);
    for section in [
        advice::section,
        causes::section,
        timeline::section,
        gaps::section,
        episodes::section,
        episodes::comparison,
        requests::section,
        evidence,
        seen::section,
    ] {
        section(&mut page, &told);
    }
    page.raw("</main>\n<footer><p>Made by reset-observer ").raw(env!("CARGO_PKG_VERSION"));
    page.raw(
        ". Times are UTC. This file names addresses and requests: look through it before you hand it on.</p></footer>",
    );
    page.raw("\n</body>\n</html>\n");
    page.finish()
}

fn head(page: &mut Markup, told: &Told<'_>) {
    let node = told.report.ready.as_ref().map_or("this host", |ready| ready.node.as_str());
    // Nothing but this very style is to count, should anything in here be what it ought not to be.
    let style = STANDARD.encode(digest(&SHA256, [STYLE, REPORT_STYLE].concat().as_bytes()));
    page.raw("<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'sha256-",
    );
    page.text(style).raw("'\">\n");
    begin(page, node);
    page.raw("<style>").raw(STYLE).raw(REPORT_STYLE).raw("</style>\n</head>\n<body class=\"report\">\n");
    page.raw(HATCH).raw("<main>\n<header>\n<div><h1>").text(node);
    page.raw("</h1>\n<p>Why connections of nginx on this host were cut</p></div>\n<p class=\"span\">");
    let watched = words::duration(told.to.since(told.from));
    page.text(told.moment(told.from)).raw(" to ").text(told.moment(told.to)).raw(" UTC<br><small>");
    page.text(watched).raw(" · ").text(told.ports()).raw("</small></p>\n</header>\n");
    for caveat in &told.report.caveats {
        page.raw("<p class=\"caveat\">").text(caveat).raw("</p>\n");
    }
}

fn tiles(page: &mut Markup, told: &Told<'_>) {
    let count = |wanted| told.impacts(wanted);
    let (failed, retried) = (count(Impact::RequestFailed), count(Impact::RequestRetried));
    let mismatched = told.ending.upstreams.iter().filter(|upstream| upstream.mismatch == Some(true)).count();
    let lost: u64 = told.ending.summary.lost.values().sum();
    page.raw("<section class=\"tiles\" aria-label=\"At a glance\">\n");
    tile(page, failed, "requests failed", failed > 0);
    tile(page, retried, "requests that nginx tried again", retried > 0);
    tile(page, super::count(mismatched), "servers where a race waits to happen", mismatched > 0);
    tile(page, lost, "events that were not looked at", lost > 0);
    page.raw("</section>\n");
}

/// The verdicts that are kept, each with its evidence: in the order of the causes, and of time.
fn evidence(page: &mut Markup, told: &Told<'_>) {
    page.raw("<section>\n<div class=\"title\"><h2>Verdicts and their evidence</h2></div>\n");
    if told.report.verdicts.is_empty() {
        page.raw("<p class=\"empty\">None: no connection ended in a way worth a verdict.</p>\n");
    }
    for cause in Cause::ALL {
        let of_cause = told.report.verdicts.iter().filter(|((other, _), _)| other == cause);
        for ((_, impact), kept) in of_cause {
            kept.iter().for_each(|verdict| verdicts::entry(page, told.times, verdict, verdicts::Id::Plain));
            left_out(page, kept.left_out(), format_args!("verdicts {cause}, {}", verdicts::impact(*impact)));
        }
    }
    page.raw("</section>\n");
}

/// Says how many were left out, if any were.
fn left_out(page: &mut Markup, count: u64, what: impl std::fmt::Display) {
    if count > 0 {
        page.raw("<p class=\"empty\">").text(grouped(count)).raw(" more ").text(what);
        page.raw(" are counted above and left out here: the first ones and the newest are shown.</p>\n");
    }
}

impl Told<'_> {
    fn moment(&self, at: KernelTime) -> String {
        self.times.clock.timestamp(at).strftime("%F %H:%M:%S").to_string()
    }

    fn ports(&self) -> String {
        let ports = self.report.ready.as_ref().map(|ready| ready.ports.as_slice()).unwrap_or_default();
        match ports {
            [] => "all ports".to_owned(),
            [port] => format!("port {port}"),
            ports => format!("ports {}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
        }
    }

    /// How many verdicts of all causes had this impact.
    fn impacts(&self, wanted: Impact) -> u64 {
        self.ending.summary.causes.values().filter_map(|impacts| impacts.get(&wanted)).sum()
    }
}

#[cfg(test)]
mod tests;
