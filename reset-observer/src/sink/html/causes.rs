//! How causes look.

use super::{grouped, markup::Markup};
use crate::{sink::history::CauseCounts, verdict::Cause};

/// What a cause means, in half a sentence.
pub(super) const fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::BackendCrash => "the backend's process died with a request in hand",
        Cause::BackendRestart => "the backend ended in good order with a request in hand: a deploy that does not drain",
        Cause::BackendAbort => "the backend lives and aborted this one connection",
        Cause::KeepaliveRace => "nginx used a pooled connection at the moment the backend closed it for being idle",
        Cause::MiddleboxIdleDrop => "something between the two forgot the idle connection",
        Cause::ConnectionRefused => "nothing listens at the server",
        Cause::ConnectionLimit => "the server turned a new connection away",
        Cause::ClientAbort => "the client left first",
        Cause::ProxyTimeout => "nginx gave up waiting",
        Cause::ProxyCrash => "an nginx worker died",
        Cause::IdleClose => "closed with no request outstanding: harmless",
        Cause::Unknown => "the evidence does not decide",
    }
}

/// A cause's name on its colour.
pub(super) fn badge(page: &mut Markup, cause: Cause) {
    page.raw("<span class=\"badge ").raw(cause.as_str()).raw("\" title=\"").raw(meaning(cause)).raw("\">");
    page.raw(cause.as_str()).raw("</span>");
}

/// The causes that occurred, with how often.
pub(super) fn legend(page: &mut Markup, counts: &CauseCounts) {
    page.raw("<ul class=\"legend\">");
    for (cause, count) in counts.each() {
        page.raw("<li title=\"").raw(meaning(cause)).raw("\"><i class=\"").raw(cause.as_str()).raw("\"></i>");
        page.raw(cause.as_str()).raw(" <b>").text(grouped(count)).raw("</b></li>");
    }
    page.raw("</ul>\n");
}
