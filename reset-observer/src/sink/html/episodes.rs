//! The newest crashes and restarts, each in one sentence. Without any, nothing.

use super::{causes, markup::Markup, verdicts::Times};
use crate::{episode::Episode, sink::overview::Overview};

pub(super) fn section(page: &mut Markup, overview: &Overview) {
    if overview.episodes.is_empty() {
        return;
    }
    page.raw("<section>\n<div class=\"title\"><h2>Crashes and restarts</h2></div>\n<ul class=\"episodes\">\n");
    for episode in &overview.episodes {
        entry(page, Times::of_day(overview.clock), episode);
    }
    page.raw("</ul>\n</section>\n");
}

pub(super) fn entry(page: &mut Markup, times: Times, episode: &Episode) {
    page.raw("<li><time>").text(times.of(episode.from)).raw("</time>");
    causes::badge(page, episode.cause);
    page.raw("<span>").text(episode).raw("</span></li>\n");
}
