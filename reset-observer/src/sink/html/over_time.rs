//! Causes over time, as stacked bars.

use super::{
    causes::{legend, meaning},
    grouped,
    markup::Markup,
};
use crate::{
    record::KernelTime,
    sink::{
        history::{Bucket, CauseCounts, Span},
        overview::Overview,
    },
    verdict::Cause,
};

pub(super) fn section(page: &mut Markup, overview: &Overview) {
    page.raw("<section>\n<div class=\"title\"><h2>Causes over time</h2><nav aria-label=\"Span\">");
    for span in Span::ALL {
        let (address, name) = match span {
            Span::Hour => ("/", "1 hour"),
            Span::Day => ("/?span=day", "1 day"),
        };
        page.raw("<a href=\"").raw(address).raw("\"");
        page.raw(if span == overview.span { " aria-current=\"true\">" } else { ">" }).raw(name).raw("</a>");
    }
    page.raw("</nav></div>\n");
    chart(page, overview);
    legend(page, &shown(&overview.buckets));
    page.raw("</section>\n");
}

/// What the bars hold: all but harmless ends, which would hide the others.
fn shown(buckets: &[Bucket]) -> CauseCounts {
    let mut sum = CauseCounts::default();
    for (cause, count) in buckets.iter().flat_map(|bucket| bucket.counts.each().collect::<Vec<_>>()) {
        if cause != Cause::IdleClose {
            (0..count).for_each(|_| sum.add(cause));
        }
    }
    sum
}

fn chart(page: &mut Markup, overview: &Overview) {
    let buckets = &overview.buckets;
    let most = buckets.iter().map(|bucket| bucket.counts.harmful()).max().unwrap_or_default();
    if most == 0 {
        page.raw("<p class=\"empty\">No connection ended in a way worth a verdict in this time.</p>\n");
        return;
    }
    let top = round_up(most);
    page.raw("<div class=\"chart\"><div class=\"y\"><span>").text(grouped(top)).raw("</span><span>0</span></div>\n");
    page.raw("<svg role=\"img\" aria-label=\"Verdicts by cause and time\" preserveAspectRatio=\"none\" viewBox=\"0 0 ");
    page.text(buckets.len()).raw(" 100\">\n");
    for (index, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.counts.harmful() > 0) {
        bar(page, overview, index, bucket, top);
    }
    page.raw("</svg>\n<div class=\"x\">");
    let ticks = [0, buckets.len() / 4, buckets.len() / 2, buckets.len() * 3 / 4];
    for from in ticks.into_iter().filter_map(|index| buckets.get(index)).map(|bucket| bucket.from) {
        page.raw("<span>").text(minute(overview, from)).raw("</span>");
    }
    page.raw("<span>now</span></div></div>\n");
}

/// One bar; the cause that comes first stands at the bottom.
fn bar(page: &mut Markup, overview: &Overview, index: usize, bucket: &Bucket, top: u64) {
    page.raw("<g>");
    let mut words = Vec::new();
    let mut below = 0;
    for (cause, count) in bucket.counts.each().filter(|(cause, _)| *cause != Cause::IdleClose) {
        below += count;
        page.raw("<rect class=\"").raw(cause.as_str()).raw("\" x=\"").text(index).raw(".08\" width=\".84\" y=\"");
        page.text(format_args!("{:.2}", 100.0 - percent(below, top))).raw("\" height=\"");
        page.text(format_args!("{:.2}", percent(count, top))).raw("\"/>");
        words.push(format!("{count} {cause}: {}", meaning(cause)));
    }
    let from = minute(overview, bucket.from);
    page.raw("<title>").text(from).raw(" UTC\n").text(words.join("\n")).raw("</title></g>\n");
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

/// The next number that reads well: 1, 2, 4, 6, 10 and their multiples by powers of ten.
fn round_up(number: u64) -> u64 {
    let scale = 10_u64.pow(number.max(1).ilog10());
    let steps = [1, 2, 4, 6, 10].map(|step: u64| step.saturating_mul(scale));
    steps.into_iter().find(|step| *step >= number).unwrap_or(number)
}

fn minute(overview: &Overview, at: KernelTime) -> String {
    overview.clock.time_of_day(at)[..5].to_owned()
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn the_scale_ends_at_a_number_that_reads_well() {
        let rounded = [1, 2, 3, 5, 7, 11, 25, 61, 99, 100, 101, 4001].map(round_up);
        assert_eq!(rounded, [1, 2, 4, 6, 10, 20, 40, 100, 100, 100, 200, 6000]);
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }
}
