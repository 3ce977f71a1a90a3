use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc, time::Duration};

use super::*;
use crate::{
    advise::advise,
    classify::Decision,
    correlate::{Case, Correlator},
    nginx::{config::defaults::Pool, error_log::impact::NextUpstream, upstream_settings::UpstreamSettings},
    record::{Exit, TcpState},
    sample::{
        acknowledged, at, configured, exit_close, fin, from_port, idle, keeping, keeping_nothing, proxy, requested,
        reset,
    },
    verdict::{Confidence, Impact},
};

const SECTIONS: [&str; 7] =
    ["What happened", "How it shows", "How sure", "Confirm by hand", "What to change", "What not to do", "See also"];

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/causes")
}

fn sources() -> Vec<(String, String)> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap())).collect()
}

/// Headings of the second level, outside of code.
fn headings(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("## ")).collect()
}

#[test]
fn every_page_is_named_by_its_cause_and_has_the_sections_in_order() {
    for cause in Cause::ALL {
        let page = pages::of_cause(*cause);
        assert!(page.starts_with(&format!("# {cause}\n\n")), "{cause}");
        assert_eq!(headings(page), SECTIONS, "{cause}");
        for title in SECTIONS {
            let text = pages::section(page, title).unwrap();
            assert!(text.len() > 30, "{cause}: there is nothing below {title}");
        }
    }
}

#[test]
fn every_file_there_is_a_page_of_the_program_or_its_index() {
    let known: BTreeSet<String> = Cause::ALL
        .iter()
        .map(|cause| cause.as_str())
        .chain(["evidence", "confidence", "README"])
        .map(|name| format!("{name}.md"))
        .collect();
    let found: BTreeSet<String> = sources().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, known);
}

#[test]
fn the_index_says_of_each_cause_what_its_page_says() {
    let index = fs::read_to_string(directory().join("README.md")).unwrap();
    for cause in Cause::ALL {
        let row = format!("| [{cause}]({cause}.md) | {} |", pages::summary(pages::of_cause(*cause)));
        assert!(index.contains(&row), "docs/causes/README.md lacks the row {row}");
    }
}

#[test]
fn every_piece_of_evidence_has_its_section_and_a_cause_that_names_it() {
    let names: Vec<&str> = Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect();
    let written = headings(pages::EVIDENCE);
    for name in &names {
        assert!(written.contains(name), "docs/causes/evidence.md lacks a section `## {name}`");
        let named = Cause::ALL.iter().any(|cause| pages::names(pages::of_cause(*cause), name));
        assert!(named, "no page in docs/causes says what `{name}` proves for its cause");
    }
    assert_eq!(written.len(), names.len(), "docs/causes/evidence.md has a section that is no evidence: {written:?}");
}

#[test]
fn all_that_would_raise_a_confidence_has_its_section() {
    let names: Vec<&str> = WouldRaise::ALL.iter().map(|would| would.as_str()).collect();
    assert_eq!(headings(pages::CONFIDENCE), names);
}

#[test]
fn a_page_names_no_evidence_and_no_metric_that_does_not_exist() {
    let metrics = fs::read_to_string(directory().join("../metrics.md")).unwrap();
    let evidence: Vec<&str> = Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect();
    for (name, text) in sources() {
        let rows = pages::section(&text, "How it shows").unwrap_or_default().lines();
        let cells = rows.filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
        let unknown = cells.flat_map(code).find(|code| !evidence.contains(code));
        assert_eq!(unknown, None, "{name} explains what is no evidence");
        for metric in words(&text).filter(|word| word.starts_with("reset_observer_")) {
            assert!(metrics.contains(metric), "{name} names {metric}, which docs/metrics.md does not list");
        }
    }
}

#[test]
fn links_lead_to_files_that_are_there() {
    for (name, text) in sources() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = fs::read_to_string(directory().join(file));
            let linked = linked.unwrap_or_else(|error| panic!("{name} links to {target}: {error}"));
            let anchors: Vec<String> =
                headings(&linked).iter().map(|title| title.to_lowercase().replace(' ', "-")).collect();
            assert!(anchor.is_empty() || anchors.iter().any(|known| known == anchor), "{name} links to {target}");
        }
    }
}

#[test]
fn pages_are_plain_text_of_at_most_120_columns() {
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            // A row of the index repeats a whole sentence, and Markdown cannot break a row.
            let row = name == "README.md" && line.starts_with('|');
            assert!(row || line.len() <= 120, "{name}:{}: {} columns", number + 1, line.len());
            assert!(line.is_ascii(), "{name}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn a_page_speaks_of_every_directive_that_its_advice_names() {
    let mut said = 0;
    for cause in Cause::ALL {
        for case in cases() {
            let decision = Decision {
                cause: *cause,
                confidence: Confidence::High,
                impact: Impact::Unknown,
                evidence: smallvec::SmallVec::new(),
            };
            let advice = advise(&case, &decision).unwrap_or_default();
            for name in words(&advice).filter(|word| is_directive(word)) {
                said += 1;
                let page = pages::of_cause(*cause);
                assert!(words(page).any(|word| word == name), "docs/causes/{cause}.md lacks {name}, of: {advice}");
            }
        }
    }
    assert!(said > 0, "no advice names a directive");
}

/// Cases of all that makes an advice say something else: the backend's timeout known or not, how its process ended.
fn cases() -> Vec<Case> {
    let second = Duration::from_secs(1);
    let request = || reset(9000, TcpState::Established, requested(at(8990), second));
    let mut correlators = Vec::new();
    for exit in [None, Some(Exit::Signal(9)), Some(Exit::Signal(11)), Some(Exit::Status(1)), Some(Exit::Status(0))] {
        let mut correlator = Correlator::new(Duration::from_millis(300));
        correlator.handle(request());
        exit.into_iter().for_each(|exit| correlator.handle(exit_close(9000, exit)));
        correlators.push(correlator);
    }
    let mut taught = Correlator::new(Duration::from_millis(300));
    for (port, ms) in [(1, 100_u64), (2, 600), (3, 1100)] {
        taught.handle(from_port(port, fin(ms, idle(second))));
        taught.poll(at(ms + 1600));
    }
    taught.handle(request());
    let mut without_gap = Correlator::new(Duration::from_millis(300));
    let snapshot = crate::record::Snapshot { idle_before_request: None, ..acknowledged(at(8990)) };
    without_gap.handle(reset(9000, TcpState::Established, snapshot));
    correlators.extend([taught, without_gap]);
    let cases = correlators.into_iter().flat_map(|mut correlator| correlator.flush());
    let cases: Vec<Case> = cases.filter(|case| case.connection.ends().local == proxy()).collect();
    cases.iter().flat_map(configurations_of).collect()
}

/// The case as it is, and with all that nginx may have been told that makes an advice say something else.
fn configurations_of(case: &Case) -> Vec<Case> {
    let retrying = |retries| UpstreamSettings { next_upstream: Some(retries), ..configured() };
    let settings = [
        configured(),
        keeping(Duration::from_secs(75)),
        keeping(Duration::from_millis(1)),
        keeping_nothing(),
        UpstreamSettings { block: None, pool: None, ..configured() },
        UpstreamSettings { pool: configured().pool.map(|pool| Pool { timeout: None, ..pool }), ..configured() },
        UpstreamSettings { socket_keepalive: Some(true), ..configured() },
        retrying(NextUpstream { non_idempotent: true, ..NextUpstream::default() }),
        retrying(NextUpstream { error: false, ..NextUpstream::default() }),
    ];
    let with = |settings| {
        let mut case = case.clone();
        Arc::make_mut(&mut case.connection).name_upstream(None, Some(Arc::new(settings)));
        case
    };
    settings.into_iter().map(with).chain([case.clone()]).collect()
}

/// A setting of nginx or of the kernel, rather than a word: `max_conns`, `net.core.somaxconn`.
fn is_directive(word: &str) -> bool {
    let lower = word.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c));
    let joined = word.contains('_') || word.matches('.').count() >= 2;
    lower && joined
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
    parts.map(|word| word.trim_matches('.')).filter(|word| !word.is_empty())
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn without_a_name_each_cause_has_a_line() {
    let text = catalogue(Look::PLAIN);
    for (line, cause) in text.lines().zip(Cause::ALL) {
        assert!(line.starts_with(cause.as_str()), "{line}");
        assert!(line.ends_with('.'), "{line}");
    }
    assert!(text.contains("fin_seen, flight_never_acked"), "{text}");
}

#[test]
fn a_piece_of_evidence_says_what_it_proves_and_for_which_causes() {
    let text = page::render(&about(Evidence::WrittenAfterFin), Look::PLAIN);
    assert!(text.starts_with("written_after_fin\n  `observe` says: \"nginx wrote the request"), "{text}");
    assert!(text.contains("This excludes everything but the"), "{text}");
    assert!(text.ends_with("The pages that rest on it: keepalive_race.\n"), "{text}");
}

#[test]
fn pages_fit_a_terminal_but_for_commands_and_addresses() {
    let look = Look { width: Some(80), colour: false };
    for topic in Topic::all() {
        let text = match topic {
            Topic::Cause(cause) => page::render(pages::of_cause(cause), look),
            Topic::Evidence(evidence) => page::render(&about(evidence), look),
            Topic::WouldRaise(would) => page::render(&how_to_raise(would), look),
        };
        for line in text.lines().filter(|line| !line.starts_with("      ") && !line.contains("https://")) {
            assert!(line.len() <= 80, "{}: {line}", topic.name());
        }
    }
}
