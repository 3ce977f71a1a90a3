//! The observer's own health and cost.

use super::{grouped, markup::Markup};
use crate::{
    counts::ProgramRuns,
    own_process::OwnProcess,
    sink::{
        overview::{Overview, Own},
        words,
    },
};

pub(super) fn section(page: &mut Markup, overview: &Overview) {
    let own = &overview.own;
    page.raw(
        "<section class=\"health\">\n<div class=\"title\"><h2>This observer</h2></div>\n<div class=\"columns\">\n",
    );
    process(page, overview, own);
    losses(page, own);
    programs(page, own);
    page.raw("</div>\n</section>\n");
}

fn process(page: &mut Markup, overview: &Overview, own: &Own) {
    page.raw("<div><h3>Cost</h3><dl>");
    if let Some(process) = &own.process {
        let share = processor_share(process, overview);
        page.raw("<dt>memory</dt><dd>").text(format_args!("{:.1} MiB", mebibytes(process.resident_bytes)));
        page.raw("</dd><dt>processor</dt><dd>").text(words::duration(process.cpu)).raw(" in all, ");
        page.text(format_args!("{share:.2}% of a core")).raw("</dd><dt>open files</dt><dd>").text(process.open_fds);
        page.raw(" of ").text(grouped(process.max_fds)).raw("</dd>");
    }
    page.raw("<dt>nginx workers</dt><dd>").text(own.workers).raw("</dd><dt>resets sent</dt><dd>");
    page.text(grouped(own.resets_sent)).raw("</dd><dt>resets received</dt><dd>").text(grouped(own.resets_received));
    page.raw("</dd></dl></div>\n");
}

fn losses(page: &mut Markup, own: &Own) {
    page.raw("<div><h3>Not looked at</h3><dl>");
    let lost: Vec<_> = own.lost.iter().filter(|(_, count)| *count > 0).collect();
    for (stage, count) in &lost {
        page.raw("<dt title=\"")
            .raw(stage.words())
            .raw("\">")
            .raw(stage.as_str())
            .raw("</dt><dd>")
            .text(grouped(*count));
        page.raw(if stage.is_redundant() { " <small>by design</small></dd>" } else { "</dd>" });
    }
    page.raw("</dl>").raw(if lost.is_empty() { "<p class=\"dim\">Nothing: every record was read.</p>" } else { "" });
    page.raw("<h3>Kernel features</h3><p class=\"features\">");
    for (feature, present) in &own.features {
        page.raw(if *present {
            "<span class=\"has\">"
        } else {
            "<span class=\"lacks\" title=\"not offered by this kernel\">"
        });
        page.text(feature).raw("</span> ");
    }
    page.raw("</p></div>\n");
}

fn programs(page: &mut Markup, own: &Own) {
    page.raw("<div><h3>Kernel programs</h3><dl>");
    for program in &own.programs {
        page.raw("<dt>").text(program).raw("</dt><dd>");
        match own.runs.iter().find(|runs| runs.program == *program) {
            Some(runs) => page.text(grouped(runs.runs)).raw(" runs, ").text(each(runs)).raw(" each</dd>"),
            None => page.raw("attached</dd>"),
        };
    }
    page.raw("</dl></div>\n");
}

fn each(runs: &ProgramRuns) -> String {
    format!("{:.0} ns", runs.time.as_secs_f64() * 1e9 / runs.runs.max(1) as f64)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Per cent of one core since the start.
fn processor_share(process: &OwnProcess, overview: &Overview) -> f64 {
    let lived = overview.now.since(overview.started).as_secs_f64().max(1.0);
    process.cpu.as_secs_f64() / lived * 100.0
}
