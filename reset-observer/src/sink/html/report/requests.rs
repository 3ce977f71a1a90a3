//! The requests that were hurt.

use std::collections::BTreeSet;

use super::{Told, left_out};
use crate::{
    sink::{
        html::{causes::badge, markup::Markup, verdicts::impact},
        report::HurtRequest,
    },
    verdict::VerdictId,
};

pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    let kept = &told.report.requests;
    page.raw("<section>\n<div class=\"title\"><h2>Requests that were hurt</h2></div>\n");
    if kept.seen() == 0 {
        page.raw("<p class=\"empty\">None was seen.</p>\n</section>\n");
        return;
    }
    let with_evidence: BTreeSet<VerdictId> =
        told.report.verdicts.values().flat_map(|kept| kept.iter().map(|verdict| verdict.id)).collect();
    page.raw("<div class=\"wide\"><table class=\"requests\">\n<thead><tr><th>Time</th><th>Cause</th><th>Outcome</th>");
    page.raw("<th>Server</th><th>Request</th></tr></thead>\n<tbody>\n");
    kept.iter().for_each(|request| row(page, told, request, with_evidence.contains(&request.id)));
    page.raw("</tbody></table></div>\n");
    left_out(page, kept.left_out(), "requests");
    page.raw("</section>\n");
}

fn row(page: &mut Markup, told: &Told<'_>, hurt: &HurtRequest, has_evidence: bool) {
    page.raw("<tr><td class=\"time\">");
    if has_evidence {
        page.raw("<a href=\"#v-").text(hurt.id).raw("\">").text(told.times.of(hurt.at)).raw("</a>");
    } else {
        page.text(told.times.of(hurt.at));
    }
    page.raw("</td><td>");
    badge(page, hurt.cause);
    page.raw("</td><td class=\"impact ").raw(hurt.impact.as_str()).raw("\">").raw(impact(hurt.impact));
    page.raw("</td><td><code>").text(&hurt.server).raw("</code></td><td class=\"request\">");
    match &hurt.request {
        Some(request) => {
            page.raw("<code>").text(&request.line).raw("</code><br><small>from ").text(&request.client);
            if let Some(host) = &request.host {
                page.raw(" to host ").text(host);
            }
            page.raw("</small>");
        }
        None => _ = page.raw("<span class=\"dim\">not named by nginx&#39;s log</span>"),
    }
    page.raw("</td></tr>\n");
}
