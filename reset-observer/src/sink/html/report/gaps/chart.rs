//! The picture: above the line what went well, below it what did not, over a logarithmic scale of time.
//!
//! Positions along the scale are per cent, heights are pixels: so the picture is as wide as the window, and its words stay as
//! large as they are.

use super::Server;
use crate::{
    correlate::Gaps,
    sink::{html::markup::Markup, words},
};

/// Where the scale begins and ends, milliseconds: that of [`Gaps`].
const FROM_MS: f64 = 10.0;
const TO_MS: f64 = 10_000_000.0;

/// Where the line is, pixels from the top.
const LINE: f64 = 118.0;

/// The highest bar above it and the longest below it.
const ABOVE: f64 = 74.0;
const BELOW: f64 = 44.0;

const TICKS: [(&str, f64); 6] =
    [("100 ms", 100.0), ("1 s", 1e3), ("10 s", 1e4), ("1 min", 6e4), ("10 min", 6e5), ("1 h", 3.6e6)];

pub(super) fn draw(page: &mut Markup, server: &Server<'_>) {
    page.raw("<svg class=\"idle\" role=\"img\" aria-label=\"How long connections lay idle\" width=\"100%\" height=\"184\">\n");
    for (name, ms) in TICKS {
        line(page, "tick", position(ms), 36.0, LINE + BELOW);
        label(page, "tick", position(ms), LINE + BELOW + 16.0, "middle", name);
    }
    danger(page, server);
    bars(page, server);
    page.raw("<line class=\"zero\" x1=\"0\" x2=\"100%\" y1=\"").text(LINE).raw("\" y2=\"").text(LINE).raw("\"/>\n");
    marks(page, server);
    page.raw("</svg>\n");
}

fn bars(page: &mut Markup, server: &Server<'_>) {
    let of_closed = server.gaps.map(|gaps| (&gaps.closed, &gaps.served));
    let most = of_closed.iter().flat_map(|(closed, served)| [highest(closed), highest(served)]).max().unwrap_or(0);
    if let Some((closed, served)) = of_closed {
        closed.steps().for_each(|(from, to, count)| {
            bar(page, "backend", (from, to), LINE - height(count, most, ABOVE), height(count, most, ABOVE), count);
        });
        // Hollow and drawn last: whichever of the two is lower is not hidden.
        served.steps().for_each(|(from, to, count)| {
            bar(page, "served", (from, to), LINE - height(count, most, ABOVE), height(count, most, ABOVE), count);
        });
    }
    let hurt: Vec<_> = server.seen.iter().flat_map(|seen| &seen.hurt).collect();
    let most: u32 = hurt.iter().map(|(_, gaps)| highest(gaps)).fold(0, u32::saturating_add);
    let mut below = LINE;
    for (cause, gaps) in &hurt {
        // A row for each cause, one below the other.
        let row = highest(gaps);
        gaps.steps().for_each(|(from, to, count)| {
            bar(page, cause.as_str(), (from, to), below, height(count, most, BELOW), count);
        });
        below += height(row, most, BELOW);
    }
}

fn highest(gaps: &Gaps) -> u32 {
    gaps.steps().map(|(_, _, count)| count).max().unwrap_or_default()
}

/// At least two pixels: one in ten thousand is to be seen.
fn height(count: u32, most: u32, whole: f64) -> f64 {
    (f64::from(count) / f64::from(most.max(1)) * whole).max(2.0)
}

fn bar(
    page: &mut Markup,
    class: &'static str,
    (from, to): (std::time::Duration, std::time::Duration),
    y: f64,
    height: f64,
    count: u32,
) {
    let (x, end) = (position(from.as_secs_f64() * 1e3), position(to.as_secs_f64() * 1e3));
    page.raw("<rect class=\"").raw(class).raw("\" x=\"").text(format_args!("{x:.2}%")).raw("\" width=\"");
    page.text(format_args!("{:.2}%", (end - x).max(0.2))).raw("\" y=\"").text(format_args!("{y:.1}"));
    page.raw("\" height=\"").text(format_args!("{height:.1}")).raw("\"><title>").text(count).raw(" after ");
    page.text(words::duration(from)).raw(" to ").text(words::duration(to)).raw("</title></rect>\n");
}

fn danger(page: &mut Markup, server: &Server<'_>) {
    let Some(timeouts) = server.timeouts.filter(|timeouts| timeouts.mismatch == Some(true)) else { return };
    let from = position(timeouts.learned_timeout.value_ms);
    let to = server.nginx.as_ref().map_or(100.0, |nginx| nginx_at(nginx.value_ms));
    page.raw("<rect class=\"hatched\" fill=\"url(#hatch)\" x=\"").text(format_args!("{from:.2}%")).raw("\" width=\"");
    page.text(format_args!("{:.2}%", (to - from).max(0.0))).raw("\" y=\"36\" height=\"").text(LINE + BELOW - 36.0);
    page.raw("\"/>\n");
}

/// Without a timeout, nginx never closes.
fn nginx_at(value_ms: Option<f64>) -> f64 {
    value_ms.map_or(100.0, position)
}

/// Both timeouts, each in a row of its own, so that their words do not cover each other.
fn marks(page: &mut Markup, server: &Server<'_>) {
    if let Some(ms) = server.timeouts.map(|timeouts| timeouts.learned_timeout.value_ms) {
        mark(page, "of-backend", position(ms), 12.0, &format!("backend closes: {}", words::milliseconds(ms)));
    }
    match server.nginx.as_ref().map(|nginx| nginx.value_ms) {
        None | Some(Some(0.0)) => {}
        Some(value) => {
            let when = value.map_or_else(|| "never".to_owned(), words::milliseconds);
            mark(page, "of-nginx", nginx_at(value), 30.0, &format!("nginx closes: {when}"));
        }
    }
}

fn mark(page: &mut Markup, class: &'static str, x: f64, y: f64, words: &str) {
    line(page, class, x, y + 4.0, LINE + BELOW);
    label(page, class, x, y, if x < 50.0 { "start" } else { "end" }, words);
}

fn line(page: &mut Markup, class: &'static str, x: f64, from: f64, to: f64) {
    page.raw("<line class=\"").raw(class).raw("\" x1=\"").text(format_args!("{x:.2}%")).raw("\" x2=\"");
    page.text(format_args!("{x:.2}%")).raw("\" y1=\"").text(from).raw("\" y2=\"").text(to).raw("\"/>\n");
}

fn label(page: &mut Markup, class: &'static str, x: f64, y: f64, anchor: &'static str, words: &str) {
    page.raw("<text class=\"").raw(class).raw("\" x=\"").text(format_args!("{x:.2}%")).raw("\" y=\"").text(y);
    page.raw("\" text-anchor=\"").raw(anchor).raw("\">").text(words).raw("</text>\n");
}

/// Per cent of the scale.
fn position(ms: f64) -> f64 {
    crate::sink::html::scale::position(ms, FROM_MS, TO_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_within_the_picture_whatever_the_time() {
        let positions = [-1.0, 0.0, 10.0, 1e7, 1e12, f64::NAN].map(position);
        assert_eq!(positions, [0.0, 0.0, 0.0, 100.0, 100.0, 0.0]);
        assert!((position(1e3) - 100.0 / 3.0).abs() < 0.01 && (position(1e4) - 50.0).abs() < 0.01);
    }

    #[test]
    fn a_bar_is_seen_however_low_and_never_leaves_its_half() {
        assert!((height(1, 1_000_000, ABOVE) - 2.0).abs() < f64::EPSILON);
        assert!((height(7, 7, BELOW) - BELOW).abs() < f64::EPSILON && height(0, 0, BELOW) <= BELOW);
    }
}
