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

/// What helps, in a sentence.
pub(super) const fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::BackendCrash => "Find out why it died: its own log, the kernel&#39;s log for an out-of-memory kill.",
        Cause::BackendRestart => {
            "Let it drain: answer what is in hand before it exits, and take it out of nginx first."
        }
        Cause::BackendAbort => "Look into its log at that time: an exception in a handler, a limit on size or time.",
        Cause::KeepaliveRace => {
            "Let nginx close first: a keepalive_timeout below the backend&#39;s, or a longer one there."
        }
        Cause::MiddleboxIdleDrop => {
            "A shorter keepalive_timeout in nginx, or a longer idle timeout in what is between."
        }
        Cause::ConnectionRefused => {
            "See whether the server runs and listens at that address, and who sends nginx there."
        }
        Cause::ConnectionLimit => "Raise its limit on connections or its accept queue, or add servers.",
        Cause::ClientAbort => "Nothing at the backend: look at how long clients wait, and at what they ask for.",
        Cause::ProxyTimeout => {
            "Find out what keeps the backend so long, or raise the timeout where that is as it should be."
        }
        Cause::ProxyCrash => "Look into nginx&#39;s error log for the worker that died, and at its modules.",
        Cause::IdleClose => "Nothing to do.",
        Cause::Unknown => "See what would have decided it under the verdict: an error log, the backend&#39;s own end.",
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
