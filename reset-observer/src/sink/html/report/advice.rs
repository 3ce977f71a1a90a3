//! What to change, by server: where a race waits to happen, and what verdicts advise.

use super::{Told, left_out};
use crate::{
    sink::{
        html::{causes::badge, grouped, markup::Markup},
        servers::ServerKey,
    },
    verdict::Cause,
};

/// How many pieces of advice are shown.
const MOST: usize = 60;

/// One piece of advice.
struct Piece<'a> {
    key: ServerKey,
    /// `None` where nothing has happened yet.
    cause: Option<Cause>,
    text: &'a str,
    /// How many verdicts advise it.
    count: u64,
}

pub(super) fn section(page: &mut Markup, told: &Told<'_>) {
    page.raw("<section>\n<div class=\"title\"><h2>What to change</h2></div>\n");
    let pieces = pieces(told);
    if pieces.is_empty() {
        page.raw("<p class=\"empty\">Nothing was seen that there is something to change about.</p>\n");
    }
    page.raw("<ul class=\"advice\">\n");
    for piece in pieces.iter().take(MOST) {
        page.raw("<li><p class=\"whom\">");
        if !piece.key.upstream.is_empty() {
            page.text(&piece.key.upstream).raw(" ");
        }
        page.raw("<code>").text(&piece.key.server).raw("</code> ");
        match piece.cause {
            Some(cause) => {
                badge(page, cause);
                page.raw(" <small>").text(grouped(piece.count)).raw("\u{d7}</small>");
            }
            None => _ = page.raw("<span class=\"badge keepalive_race\">a race waits to happen</span>"),
        }
        page.raw("</p><p class=\"do\">").text(piece.text).raw("</p></li>\n");
    }
    page.raw("</ul>\n");
    let rest = pieces.len().saturating_sub(MOST);
    left_out(page, u64::try_from(rest).unwrap_or(u64::MAX), "pieces of advice, of rarer causes,");
    page.raw("</section>\n");
}

/// First where a race waits to happen, then what most verdicts advise.
fn pieces<'a>(told: &'a Told<'_>) -> Vec<Piece<'a>> {
    let mismatches = told.ending.upstreams.iter().filter_map(|upstream| {
        let text = upstream.advice.as_deref()?;
        Some(Piece { key: ServerKey::from(&upstream.upstream), cause: None, text, count: 0 })
    });
    let mut pieces: Vec<Piece<'_>> = mismatches.collect();
    let mut told_of: Vec<Piece<'_>> = Vec::new();
    for (key, server) in &told.report.servers {
        let advice = server.advice.iter().map(|(cause, (text, count))| Piece {
            key: key.clone(),
            cause: Some(*cause),
            text,
            count: *count,
        });
        told_of.extend(advice);
    }
    told_of.sort_by_key(|piece| std::cmp::Reverse(piece.count));
    pieces.extend(told_of);
    pieces
}
