//! The newest verdicts, each with its evidence.

use std::fmt::Display;

use super::{causes, markup::Markup};
use crate::{
    container::Container,
    record::KernelTime,
    sink::{clock::WallClock, overview::Overview, words},
    verdict::{Confidence, Impact, ProcessLabel, Verdict},
};

/// How times are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) clock: WallClock,
    /// With the date: what is shown is not all of one day.
    pub(super) dated: bool,
}

impl Times {
    pub(super) const fn of_day(clock: WallClock) -> Self {
        Self { clock, dated: false }
    }

    pub(super) fn of(self, at: KernelTime) -> String {
        let time = self.clock.time_of_day(at);
        if self.dated { format!("{} {time}", self.clock.timestamp(at).strftime("%m-%d")) } else { time }
    }
}

/// How a verdict's name is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// It leads to the verdict as JSON.
    Linked,
    /// Nothing is behind it; the exact time is beside it.
    Plain,
}

pub(super) fn section(page: &mut Markup, overview: &Overview) {
    page.raw("<section>\n<div class=\"title\"><h2>Newest verdicts</h2></div>\n");
    if overview.verdicts.is_empty() {
        page.raw("<p class=\"empty\">None yet. Harmless closes of idle connections are not shown here.</p>\n");
    }
    for verdict in &overview.verdicts {
        entry(page, Times::of_day(overview.clock), verdict, Id::Linked);
    }
    page.raw("</section>\n");
}

pub(super) fn entry(page: &mut Markup, times: Times, verdict: &Verdict, id: Id) {
    page.raw("<details class=\"verdict\" data-id=\"").text(verdict.id).raw("\"><summary><time>");
    page.text(times.of(verdict.at)).raw("</time>");
    causes::badge(page, verdict.cause);
    page.raw("<span class=\"where\">").text(target(verdict)).raw("</span><span class=\"sure ");
    page.raw(verdict.confidence.as_str())
        .raw("\">")
        .raw(sureness(verdict.confidence))
        .raw("</span><span class=\"impact ");
    page.raw(verdict.impact.as_str()).raw("\">").raw(impact(verdict.impact)).raw("</span></summary>\n");
    // A browser that is sent here by the address opens what is around it.
    page.raw("<div class=\"body\" id=\"v-").text(verdict.id).raw("\">\n");
    if let Some(advice) = &verdict.advice {
        page.raw("<p class=\"do\">").text(advice).raw("</p>\n");
    }
    evidence(page, verdict);
    facts(page, times, verdict, id);
    page.raw("</div></details>\n");
}

fn evidence(page: &mut Markup, verdict: &Verdict) {
    page.raw("<div><h3>Evidence</h3><ul>");
    for evidence in &verdict.evidence {
        page.raw("<li>").raw(words::evidence(*evidence)).raw("</li>");
    }
    page.raw("</ul></div>\n");
}

fn facts(page: &mut Markup, times: Times, verdict: &Verdict, id: Id) {
    page.raw("<div><h3>Connection</h3><dl>");
    let (local, remote) = (verdict.local, verdict.remote);
    fact(page, "from", Some(address(local.addr, local.port)));
    fact(page, "to", Some(address(remote.addr, remote.port)));
    fact(page, "leg", Some(verdict.leg));
    fact(page, "ended by", Some(verdict.signal));
    fact(page, "process", verdict.process.as_deref().map(process));
    fact(page, "pod or service", verdict.container.as_deref().and_then(home));
    fact(page, "idle before the request", verdict.timing.idle_before_request_ms.map(words::milliseconds));
    fact(page, "after the request", verdict.timing.since_request_us.map(microseconds));
    fact(page, "age", verdict.timing.connection_age_ms.map(words::milliseconds));
    let bytes = verdict
        .bytes
        .map(|bytes| format!("{} sent, {} received, {} not acknowledged", bytes.sent, bytes.received, bytes.unacked));
    fact(page, "bytes", bytes);
    let surer: Vec<&str> = verdict.would_raise.iter().map(|would| words::would_raise(*would)).collect();
    fact(page, "surer with", (!surer.is_empty()).then(|| surer.join("; ")));
    if let Some(request) = &verdict.request {
        fact(page, "request", Some(&request.line));
        fact(page, "client", Some(&request.client));
        fact(page, "host", request.host.as_ref());
    }
    if id == Id::Plain {
        fact(page, "at", Some(times.clock.rfc3339(verdict.at)));
        fact(page, "id", Some(verdict.id));
    } else {
        page.raw("<dt>id</dt><dd><a href=\"/api/v1/verdicts?id=").text(verdict.id).raw("\">").text(verdict.id);
        page.raw("</a></dd>");
    }
    page.raw("</dl></div>\n");
}

pub(super) fn fact(page: &mut Markup, name: &'static str, value: Option<impl Display>) {
    if let Some(value) = value {
        page.raw("<dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd>");
    }
}

fn target(verdict: &Verdict) -> String {
    match &verdict.upstream {
        Some(upstream) => upstream
            .name
            .as_ref()
            .map_or_else(|| upstream.server.clone(), |name| format!("{name} · {}", upstream.server)),
        None => address(verdict.remote.addr, verdict.remote.port),
    }
}

fn address(addr: std::net::IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(addr, port).to_string()
}

fn home(container: &Container) -> Option<String> {
    let pod =
        container.pod.as_ref().and_then(|pod| Some(format!("{}/{}", pod.namespace.as_ref()?, pod.name.as_ref()?)));
    pod.or_else(|| container.unit.clone()).or_else(|| container.id.clone())
}

fn process(process: &ProcessLabel) -> String {
    let worker = process.ordinal.map(|ordinal| format!(", worker {ordinal}")).unwrap_or_default();
    format!("{} (pid {}{worker})", process.name, process.pid)
}

fn microseconds(us: u64) -> String {
    words::milliseconds(us as f64 / 1e3)
}

const fn sureness(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "sure",
        Confidence::Medium => "likely",
        Confidence::Low => "a guess",
    }
}

pub(super) const fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::RequestFailed => "request failed",
        Impact::RequestRetried => "nginx retried",
        Impact::None => "harmless",
        Impact::Unknown => "request: unknown",
    }
}
