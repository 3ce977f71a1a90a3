//! When verdicts fell: a lane for each cause, so that they can be told apart without colours.

use std::time::Duration;

use super::Told;
use crate::{
    record::KernelTime,
    sink::{
        html::{causes::badge, grouped, markup::Markup},
        words,
    },
    verdict::Cause,
};

/// No bar is narrower, per cent of the lane.
const NARROWEST: f64 = 0.4;

pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    let course = &told.report.course;
    let causes: Vec<Cause> = Cause::ALL.iter().copied().filter(|cause| course.of(*cause).next().is_some()).collect();
    if causes.is_empty() {
        return;
    }
    page.raw("<section class=\"course\">\n<div class=\"title\"><h2>When</h2><p class=\"dim\">a bar is ");
    page.text(words::duration(course.step_length())).raw("; each lane has a scale of its own</p></div>\n");
    page.raw("<div class=\"lanes\">\n");
    for cause in causes {
        lane(page, told, cause);
    }
    axis(page, told);
    page.raw("</div>\n");
    let marks = told.report.marks.seen();
    if marks > 0 {
        page.raw("<p class=\"dim\">Dashed: the point of a change, as whoever watched marked it.</p>\n");
    }
    page.raw("</section>\n");
}

fn lane(page: &mut Markup, told: &Told<'_>, cause: Cause) {
    let steps: Vec<(Duration, u64)> = told.report.course.of(cause).collect();
    let most = steps.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let total: u64 = steps.iter().map(|(_, count)| count).sum();
    page.raw("<div class=\"name\">");
    badge(page, cause);
    page.raw("</div><div class=\"total\"><b>").text(grouped(total)).raw("</b> <small>at most ").text(grouped(most));
    page.raw(" a bar</small></div>\n<svg role=\"img\" aria-label=\"").raw(cause.as_str());
    page.raw(" over time\" preserveAspectRatio=\"none\" viewBox=\"0 0 100 30\">");
    let width = told.part(told.report.course.step_length()).max(NARROWEST);
    for (from, count) in steps {
        let height = (count as f64 / most as f64 * 30.0).max(3.0);
        let x = told.part(from).min(100.0 - NARROWEST);
        page.raw("<rect class=\"").raw(cause.as_str()).raw("\" x=\"").text(format_args!("{x:.2}")).raw("\" y=\"");
        page.text(format_args!("{:.2}", 30.0 - height)).raw("\" width=\"");
        page.text(format_args!("{:.2}", width.min(100.0 - x))).raw("\" height=\"").text(format_args!("{height:.2}"));
        page.raw("\"><title>").text(told.moment(told.from.after(from))).raw(" UTC: ").text(grouped(count)).raw(" ");
        page.raw(cause.as_str()).raw("</title></rect>");
    }
    for mark in told.report.marks.iter() {
        let x = told.part(mark.since(told.from));
        page.raw("<line class=\"mark\" y1=\"0\" y2=\"30\" x1=\"").text(format_args!("{x:.2}")).raw("\" x2=\"");
        page.text(format_args!("{x:.2}")).raw("\"/>");
    }
    page.raw("</svg>\n");
}

fn axis(page: &mut Markup, told: &Told<'_>) {
    let whole = told.to.since(told.from);
    // Five times within less than this would read alike, and those of several days are told apart by the date.
    let format = match whole {
        whole if whole < Duration::from_secs(20) => "%H:%M:%S.%1f",
        whole if whole < Duration::from_hours(24) => "%H:%M:%S",
        _ => "%m-%d %H:%M",
    };
    page.raw("<div class=\"x\">");
    for quarter in 0..=4 {
        let at: KernelTime = told.from.after(whole / 4 * quarter);
        page.raw("<span>").text(told.times.clock.timestamp(at).strftime(format)).raw("</span>");
    }
    page.raw("</div>\n");
}

impl Told<'_> {
    /// Per cent of the session.
    fn part(&self, time: Duration) -> f64 {
        let whole = self.to.since(self.from).max(Duration::from_millis(1));
        (time.as_secs_f64() / whole.as_secs_f64() * 100.0).clamp(0.0, 100.0)
    }
}
