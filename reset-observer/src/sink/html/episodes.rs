//! The newest crashes and restarts, each in one sentence. Without any, nothing.

use super::{causes, markup::Markup};
use crate::sink::overview::Overview;

pub(super) fn section(page: &mut Markup, overview: &Overview) {
    if overview.episodes.is_empty() {
        return;
    }
    page.raw("<section>\n<div class=\"title\"><h2>Crashes and restarts</h2></div>\n<ul class=\"episodes\">\n");
    for episode in &overview.episodes {
        page.raw("<li><time>").text(overview.clock.time_of_day(episode.from)).raw("</time>");
        causes::badge(page, episode.cause);
        page.raw("<span>").text(episode).raw("</span></li>\n");
    }
    page.raw("</ul>\n</section>\n");
}
