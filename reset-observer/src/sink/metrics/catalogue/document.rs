//! `docs/metrics.md`, made of the catalogue.

use super::{ALL, Description};
use crate::{
    resets::Direction,
    sandbox::Measure,
    sink::{losses::Stage, servers::MAX_SERVERS},
    verdict::{Cause, Impact, Leg},
};

const HEAD: &str = "\
# Metrics

`reset-observer daemon` serves them at `/metrics`: as OpenMetrics 1.0 to whoever asks for it, as Prometheus does, else in
the text format 0.0.4, which carries no exemplars. Series of fixed label sets exist from the start, at zero.

This page is written by the program itself; `UPDATE_DOCS=1 cargo test -p reset-observer --lib catalogue` writes it again.

";

/// The page, Markdown.
#[must_use]
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| metric | type | meaning |\n|---|---|---|\n");
    for description in ALL {
        page.push_str(&row(description));
    }
    page.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    for (label, values) in labels() {
        page.push_str(&format!("| `{label}` | {values} |\n"));
    }
    page.push_str(NATIVE);
    page
}

const NATIVE: &str = "
## Native histograms

With `--web.native-histograms` metrics are offered as protobuf too, the one format that has native histograms, and a
Prometheus that asks for it (`scrape_native_histograms: true`; before 3.8 `--enable-feature=native-histograms`) gets
`reset_observer_idle_before_request_seconds` in buckets that grow by a tenth, with the same exemplars. It is not so without
the flag, because such a Prometheus drops the classic `_bucket` series, by which the dashboard draws, unless it has
`always_scrape_classic_histograms: true` (before 3.0 `scrape_classic_histograms`).
";

fn row(description: &Description) -> String {
    let Description { name, kind, labels, help, notes } = description;
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let notes = if notes.is_empty() { String::new() } else { format!(" {notes}") };
    format!("| `{name}{labels}` | {} | {help}.{notes} |\n", kind.as_str())
}

fn labels() -> Vec<(&'static str, String)> {
    let causes =
        Cause::ALL.iter().map(|cause| format!("[`{cause}`](causes/{cause}.md)")).collect::<Vec<_>>().join(", ");
    let stages: Vec<String> =
        Stage::ALL.into_iter().map(|stage| format!("`{}` ({})", stage.as_str(), stage.words())).collect();
    vec![
        ("cause", causes),
        ("direction", names(Direction::ALL.into_iter().map(Direction::as_str))),
        ("fate", "`sent` (the collector took it), `dropped` (too many waited, or it did not take it in time)".into()),
        ("feature", "What a kernel may offer, see [kernel-support.md](kernel-support.md)".into()),
        ("file", "`config` (`--config`), `web` (`--web.config.file`, certificates included)".into()),
        ("impact", names(Impact::ALL.iter().map(|impact| impact.as_str()))),
        ("leg", names(Leg::ALL.iter().map(|leg| leg.as_str()))),
        ("measure", names(Measure::ALL.into_iter().map(Measure::as_str))),
        ("program", "Name of a kernel program".into()),
        (
            "reason",
            "Of a reset: the kernel's own reasons, lower case, without their prefix. Of a line that was left: \
             `without_connection`, `contested` (text from outside imitates nginx's), `overflow` (too many at once)"
                .into(),
        ),
        (
            "result",
            "`joined` (its own), `shared` (what several lines have in common), `ambiguous`, `without_line`".into(),
        ),
        ("side", "`backend` (learned), `nginx` (configured)".into()),
        ("stage", stages.join("; ")),
        (
            "upstream, server",
            format!(
                "Upstream block, and address of a server in it. At most {MAX_SERVERS} pairs are told apart, which \
                 `reset_observer_upstream_servers_max` says; the rest is `other`, `other`"
            ),
        ),
        (
            "worker",
            "Position of an nginx worker among all of this host, from 0; `unknown` of one that died before".into(),
        ),
    ]
}

fn names(names: impl Iterator<Item = &'static str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    #[test]
    fn the_page_of_the_documentation_is_that_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, document()).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == document(),
            "docs/metrics.md is not what the code says: UPDATE_DOCS=1 cargo test -p reset-observer --lib catalogue"
        );
    }

    #[test]
    fn every_label_of_a_metric_is_explained() {
        let explained = labels().into_iter().map(|(label, _)| label).collect::<Vec<_>>().join(", ");
        let of_builds = ["version", "arch"];
        for label in ALL.iter().flat_map(|description| description.labels).filter(|label| !of_builds.contains(label)) {
            assert!(explained.split(", ").any(|name| name == *label), "{label}");
        }
    }

    #[test]
    fn helps_need_no_escaping_and_end_without_a_full_stop() {
        for Description { name, help, .. } in ALL {
            assert!(!help.contains(['\\', '"', '\n', '|']) && !help.ends_with('.'), "{name}");
        }
    }
}
