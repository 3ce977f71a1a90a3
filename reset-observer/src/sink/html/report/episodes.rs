//! Crashes and restarts, and what was compared: each in words.

use super::{Told, left_out};
use crate::sink::html::{episodes, markup::Markup};

/// The crashes and restarts. Without any, nothing.
pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    let kept = &told.report.episodes;
    if kept.seen() == 0 {
        return;
    }
    page.raw("<section>\n<div class=\"title\"><h2>Crashes and restarts</h2></div>\n<ul class=\"episodes\">\n");
    kept.iter().for_each(|episode| episodes::entry(page, told.times, episode));
    page.raw("</ul>\n");
    left_out(page, kept.left_out(), "episodes");
    page.raw("</section>\n");
}

/// Both sides of a mark. Without one, nothing.
pub(super) fn comparison(page: &mut Markup, told: &Told<'_>) {
    if let Some(comparison) = &told.ending.comparison {
        page.raw("<section>\n<div class=\"title\"><h2>Before and after the change</h2></div>\n<pre>").text(comparison);
        page.raw("</pre>\n</section>\n");
    }
}
