//! The pages in `docs/causes`, which are part of the program.

use crate::verdict::{Cause, Evidence, WouldRaise};

/// One section for each piece of evidence.
pub(super) const EVIDENCE: &str = include_str!("../../../../docs/causes/evidence.md");

/// One section for each thing that would have raised a confidence.
pub(super) const CONFIDENCE: &str = include_str!("../../../../docs/causes/confidence.md");

/// The page of a cause.
pub(super) const fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::BackendCrash => include_str!("../../../../docs/causes/backend_crash.md"),
        Cause::BackendRestart => include_str!("../../../../docs/causes/backend_restart.md"),
        Cause::BackendAbort => include_str!("../../../../docs/causes/backend_abort.md"),
        Cause::KeepaliveRace => include_str!("../../../../docs/causes/keepalive_race.md"),
        Cause::MiddleboxIdleDrop => include_str!("../../../../docs/causes/middlebox_idle_drop.md"),
        Cause::ConnectionRefused => include_str!("../../../../docs/causes/connection_refused.md"),
        Cause::ConnectionLimit => include_str!("../../../../docs/causes/connection_limit.md"),
        Cause::ClientAbort => include_str!("../../../../docs/causes/client_abort.md"),
        Cause::ProxyTimeout => include_str!("../../../../docs/causes/proxy_timeout.md"),
        Cause::ProxyCrash => include_str!("../../../../docs/causes/proxy_crash.md"),
        Cause::IdleClose => include_str!("../../../../docs/causes/idle_close.md"),
        Cause::Unknown => include_str!("../../../../docs/causes/unknown.md"),
    }
}

/// What a piece of evidence proves, as Markdown; `None` only while its section is yet to be written, which a test
/// refuses.
pub(super) fn of_evidence(evidence: Evidence) -> Option<&'static str> {
    section(EVIDENCE, evidence.as_str())
}

/// How to have what would have raised a confidence, as Markdown; `None` only while its section is yet to be written, which
/// a test refuses.
pub(super) fn of_would_raise(would: WouldRaise) -> Option<&'static str> {
    section(CONFIDENCE, would.as_str())
}

/// The first paragraph of a page, on one line: what the cause means.
pub(super) fn summary(page: &str) -> String {
    let paragraph = page.split("\n\n").nth(1).unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a page speaks of `name`, written as code.
pub(super) fn names(page: &str, name: &str) -> bool {
    page.contains(&format!("`{name}`"))
}

/// The text below a heading of the second level.
pub(super) fn section<'a>(page: &'a str, title: &str) -> Option<&'a str> {
    let heading = format!("\n## {title}\n");
    let (_, below) = page.split_once(&heading)?;
    Some(below.split("\n## ").next().unwrap_or(below).trim())
}
