//! `explain`: what a cause means, how to make sure, and what to do about it.

use std::io::{self, Write as _};

use super::Failure;
use crate::{
    cli::{ExplainArgs, Topic},
    sink::{OutputError, page, table::Look, words},
    verdict::{Cause, Evidence, WouldRaise},
};

mod pages;

/// Shows the page of a topic, or what there is.
pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let look = Look::of_stdout();
    let text = match args.topic {
        None => catalogue(look),
        Some(Topic::Cause(cause)) => page::render(pages::of_cause(cause), look),
        Some(Topic::Evidence(evidence)) => page::render(&about(evidence), look),
        Some(Topic::WouldRaise(would)) => page::render(&how_to_raise(would), look),
    };
    match show(&text) {
        Ok(()) | Err(OutputError::ReaderGone) => Ok(()),
        Err(error @ OutputError::Write(_)) => Err(Failure::Running(error.into())),
    }
}

fn show(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Every cause with its sentence, and the names of the evidence.
fn catalogue(look: Look) -> String {
    let width = Cause::ALL.iter().map(|cause| cause.as_str().len()).max().unwrap_or_default();
    let mut out = String::new();
    for cause in Cause::ALL {
        let before = format!("{}  ", look.strong(&format!("{:width$}", cause.as_str())));
        out.push_str(&look.hang(&before, &pages::summary(pages::of_cause(*cause)), width + 2));
    }
    let names: Vec<&str> = Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect();
    let closing = "`reset-observer explain CAUSE` shows the page of one. Evidence that verdicts name is explained too:";
    format!("{out}\n{}", look.hang("", &format!("{closing} {}", names.join(", ")), 0))
}

/// What a piece of evidence proves, as a page.
fn about(evidence: Evidence) -> String {
    let named: Vec<&str> = Cause::ALL
        .iter()
        .filter(|cause| pages::names(pages::of_cause(**cause), evidence.as_str()))
        .map(|cause| cause.as_str())
        .collect();
    format!(
        "# {evidence}\n\n`observe` says: \"{}\".\n\n{}\n\nThe pages that rest on it: {}.\n",
        words::evidence(evidence),
        pages::of_evidence(evidence).unwrap_or_default(),
        named.join(", ")
    )
}

/// How to have what would have raised a confidence, as a page.
fn how_to_raise(would: WouldRaise) -> String {
    let (words, text) = (words::would_raise(would), pages::of_would_raise(would).unwrap_or_default());
    format!("# {would}\n\n`observe` says: \"surer with: {words}\".\n\n{text}\n")
}

#[cfg(test)]
mod tests;
