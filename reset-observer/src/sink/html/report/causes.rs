//! The causes with their counts, what each means, and what helps.

use super::Told;
use crate::{
    sink::html::{
        causes::{badge, meaning, remedy},
        grouped,
        markup::Markup,
    },
    verdict::Impact,
};

pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    page.raw("<section>\n<div class=\"title\"><h2>Causes</h2></div>\n");
    if told.ending.summary.causes.is_empty() {
        page.raw("<p class=\"empty\">No connection ended in a way worth a verdict.</p>\n</section>\n");
        return;
    }
    page.raw(
        "<div class=\"wide\"><table class=\"causes\">\n<thead><tr><th>Cause</th><th>Verdicts</th><th>Requests</th>",
    );
    page.raw("<th>What it means, and what helps</th></tr></thead>\n<tbody>\n");
    for (cause, impacts) in &told.ending.summary.causes {
        let total: u64 = impacts.values().sum();
        let sure = told.report.sure.get(cause).copied().unwrap_or_default();
        page.raw("<tr><th scope=\"row\">");
        badge(page, *cause);
        page.raw("</th><td data-name=\"verdicts\">").text(grouped(total)).raw(" <small>").text(grouped(sure));
        page.raw(" sure</small></td><td data-name=\"requests\">");
        let hurt =
            [(Impact::RequestFailed, "failed"), (Impact::RequestRetried, "retried"), (Impact::Unknown, "unknown")];
        let hurt = hurt.iter().filter_map(|(impact, name)| Some(format!("{} {name}", grouped(*impacts.get(impact)?))));
        let hurt: Vec<String> = hurt.collect();
        page.text(if hurt.is_empty() { "none".to_owned() } else { hurt.join(", ") });
        page.raw("</td><td>").raw(meaning(*cause)).raw("<br><small>").raw(remedy(*cause)).raw("</small></td></tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}
