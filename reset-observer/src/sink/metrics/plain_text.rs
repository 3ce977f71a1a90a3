//! From OpenMetrics, which is all that the library writes, to the text format 0.0.4, which is what curl, promtool and older
//! scrapers read.
//!
//! The two differ in this: 0.0.4 names a counter by its samples (`_total`), knows no infos, state sets and units, no
//! exemplars, and no mark at the end.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

/// Content type of [`plain_text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The same metrics in the text format 0.0.4.
#[must_use]
pub fn plain_text(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        match line.strip_prefix("# ") {
            Some(comment) => describe(comment, &mut help, &mut out),
            None => {
                out.push_str(without_exemplar(line));
                out.push('\n');
            }
        }
    }
    out
}

/// A family's help comes before its type, and its name in 0.0.4 depends on the type.
fn describe<'a>(comment: &'a str, help: &mut Option<&'a str>, out: &mut String) {
    if let Some(rest) = comment.strip_prefix("HELP ") {
        *help = rest.split_once(' ').map(|(_, text)| text);
    } else if let Some((family, kind)) = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' ')) {
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "stateset" => ("", "gauge"),
            "unknown" | "gaugehistogram" => ("", "untyped"),
            same => ("", same),
        };
        if let Some(help) = help.take() {
            // A quotation mark needs no escape in a help of 0.0.4, and may not have one.
            out.push_str(&format!("# HELP {family}{suffix} {}\n", help.replace("\\\"", "\"")));
        }
        out.push_str(&format!("# TYPE {family}{suffix} {kind}\n"));
    }
}

/// The exemplar follows the value; a label's value may look like one.
fn without_exemplar(sample: &str) -> &str {
    let after_labels = end_of_labels(sample);
    let exemplar = sample[after_labels..].find(" # ");
    exemplar.map_or(sample, |at| &sample[..after_labels + at])
}

fn end_of_labels(sample: &str) -> usize {
    let Some(start) = sample.find(['{', ' ']).filter(|at| sample[*at..].starts_with('{')) else { return 0 };
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in sample.bytes().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return at,
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_are_named_by_their_samples_and_the_end_is_not_marked() {
        let open = "# HELP a Things.\n# TYPE a counter\n# UNIT a seconds\na_total{b=\"c\"} 1\n\
                    # HELP v What.\n# TYPE v info\nv_info{x=\"1\"} 1\n# HELP g Now.\n# TYPE g gauge\ng -1.5\n# EOF\n";
        let plain = "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n\
                     # HELP v_info What.\n# TYPE v_info gauge\nv_info{x=\"1\"} 1\n# HELP g Now.\n# TYPE g gauge\ng -1.5\n";
        assert_eq!(plain_text(open), plain);
    }

    #[test]
    fn exemplars_go_and_label_values_that_look_like_one_stay() {
        let open = "a_total{b=\"x} 1 # {\\\"\"} 2 # {verdict_id=\"00\"} 1.0 17.5\nb_total 3 # {i=\"1\"} 1.0\nc{d=\"# \\\\\"} 4\n";
        assert_eq!(plain_text(open), "a_total{b=\"x} 1 # {\\\"\"} 2\nb_total 3\nc{d=\"# \\\\\"} 4\n");
    }

    #[test]
    fn a_quotation_mark_in_a_help_is_not_escaped() {
        assert_eq!(
            plain_text("# HELP a say \\\"x\\\".\n# TYPE a unknown\n"),
            "# HELP a say \"x\".\n# TYPE a untyped\n"
        );
    }
}
