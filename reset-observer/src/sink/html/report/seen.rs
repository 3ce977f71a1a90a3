//! What was watched, and what of it was not seen.

use super::Told;
use crate::sink::{
    Ready,
    html::{grouped, markup::Markup, verdicts::fact},
    words,
};

pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    page.raw(
        "<section class=\"health\">\n<div class=\"title\"><h2>What was watched</h2></div>\n<div class=\"columns\">\n",
    );
    traffic(page, told);
    losses(page, told);
    if let Some(ready) = &told.report.ready {
        kernel(page, ready);
    }
    page.raw("</div>\n</section>\n");
}

fn traffic(page: &mut Markup, told: &Told<'_>) {
    let (summary, ready) = (&told.ending.summary, told.report.ready.as_ref());
    page.raw("<div><h3>Session</h3><dl>");
    fact(page, "host", ready.map(|ready| &ready.node));
    fact(page, "from", Some(told.moment(told.from)));
    fact(page, "to", Some(told.moment(told.to)));
    fact(page, "for", Some(words::duration(told.to.since(told.from))));
    fact(page, "connections with", Some(told.ports()));
    let nginx = ready.map(|ready| match ready.nginx.workers {
        0 => "none was running at the start".to_owned(),
        workers => format!("{workers} workers at the start"),
    });
    fact(page, "nginx", nginx);
    fact(page, "connections opened", told.ending.connections.map(grouped));
    if told.ending.connections.is_some() {
        fact(page, "resets sent", Some(grouped(summary.resets_sent)));
        fact(page, "resets received", Some(grouped(summary.resets_received)));
    }
    fact(page, "records read", Some(grouped(told.ending.records)));
    fact(page, "verdicts", Some(grouped(summary.verdicts)));
    fact(page, "observed by", ready.map(|ready| format!("reset-observer {}", ready.version)));
    page.raw("</dl></div>\n");
}

fn losses(page: &mut Markup, told: &Told<'_>) {
    let lost = &told.ending.summary.lost;
    page.raw("<div><h3>Not seen</h3>");
    if told.ending.connections.is_none() {
        page.raw("<p>Not known: the kernel&#39;s counters at the end are missing.</p>");
    } else if lost.is_empty() {
        page.raw("<p class=\"dim\">Nothing was lost: every record was read.</p>");
    }
    page.raw("<dl>");
    for (stage, count) in lost {
        page.raw("<dt>").text(grouped(*count)).raw("</dt><dd>").raw(stage.words()).raw("</dd>");
    }
    page.raw("</dl></div>\n");
}

fn kernel(page: &mut Markup, ready: &Ready) {
    page.raw("<div><h3>Kernel features</h3><p class=\"features\">");
    for (feature, present) in &ready.features {
        page.raw(if *present {
            "<span class=\"has\">"
        } else {
            "<span class=\"lacks\" title=\"not offered by this kernel\">"
        });
        page.text(feature).raw("</span> ");
    }
    page.raw("</p><h3>Kernel programs</h3><p class=\"features\">");
    for program in &ready.programs {
        page.raw("<span>").text(program).raw("</span> ");
    }
    page.raw("</p></div>\n");
}
