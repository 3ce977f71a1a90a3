use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use super::*;
use crate::{
    correlate::{Gaps, IdleGaps},
    episode::Episode,
    sink::{
        NginxFound, Ready, example,
        losses::Stage,
        summary::Summary,
        upstream::{LearnedTimeout, NginxTimeout, Upstream},
    },
    verdict::{Confidence, Request, UpstreamLabel, Verdict},
};

const BEGIN: KernelTime = KernelTime(1_000_000_000);

/// A session, and its counts.
struct Session {
    report: Report,
    summary: Summary,
}

impl Session {
    fn start(node: &str) -> Self {
        let ready = Ready {
            at: BEGIN,
            version: "0.1.0".into(),
            programs: vec!["tcp_receive_reset".into()],
            features: BTreeMap::from([("ipv6".into(), true), ("rst_packet".into(), false)]),
            ports: vec![3000],
            nginx: NginxFound { masters: 1, workers: 4, listening: 1 },
            node: node.into(),
        };
        let mut report = Report::new(example::CLOCK);
        report.ready(&ready);
        Self { report, summary: Summary::start(BEGIN) }
    }

    fn saw(mut self, verdict: &Verdict) -> Self {
        self.report.verdict(verdict, verdict.cause != Cause::IdleClose);
        self.summary.add(verdict);
        self
    }

    fn end(mut self, upstreams: Vec<Upstream>, gaps: BTreeMap<SocketAddr, IdleGaps>) -> String {
        self.summary.end(KernelTime(61_000_000_000));
        let summary = self.summary;
        let ending = Ending { summary, upstreams, gaps, connections: Some(1234), records: 99, comparison: None };
        report(&self.report, &ending)
    }

    fn end_bare(self) -> String {
        self.end(Vec::new(), BTreeMap::new())
    }
}

fn mismatched() -> Upstream {
    Upstream {
        upstream: UpstreamLabel { name: Some("backend".into()), server: "10.99.2.1:3000".into() },
        learned_timeout: LearnedTimeout { value_ms: 5000.0, spread_ms: 2.0, samples: 3 },
        nginx_timeout: Some(NginxTimeout {
            value_ms: Some(60_000.0),
            at: Some("/etc/nginx/nginx.conf:17".into()),
            block_at: None,
        }),
        mismatch: Some(true),
        expected_races: None,
        advice: Some("set keepalive_timeout 4s".into()),
    }
}

fn idle(closed_s: &[u64]) -> BTreeMap<SocketAddr, IdleGaps> {
    let mut closed = Gaps::default();
    closed_s.iter().for_each(|second| closed.add(std::time::Duration::from_secs(*second)));
    BTreeMap::from([(([10, 99, 2, 1], 3000).into(), IdleGaps { closed, ..IdleGaps::default() })])
}

#[test]
fn a_session_without_a_verdict_says_so_and_what_was_watched() {
    let page = Session::start("node-7").end_bare();
    for said in [
        "No connection ended in a way worth a verdict.",
        "Nothing was seen that there is something to change about.",
        "port 3000",
        "2026-11-22 13:45:01 to 2026-11-22 13:46:01 UTC",
        "60.0 s",
        "Nothing was lost: every record was read.",
        "4 workers at the start",
        "1\u{202f}234",
    ] {
        assert!(page.contains(said), "{said} is not in {page}");
    }
    assert!(page.starts_with(MARK) && page.ends_with("</html>\n"));
}

#[test]
fn one_verdict_is_in_every_part_that_it_belongs_to() {
    let verdict = example::verdict();
    let page = Session::start("node-7").saw(&verdict).end_bare();
    assert!(page.contains("<b>1</b><span>requests that nginx tried again</span>"));
    assert!(page.contains("<small>1 sure</small>") && page.contains("data-name=\"requests\">1 retried<"));
    assert!(
        page.contains("<rect class=\"keepalive_race\" x=\"4.00\""),
        "in the step that begins 2.4 s after the start, of 60 s"
    );
    assert!(page.contains(&format!("<a href=\"#v-{}\">13:45:03</a>", verdict.id)));
    assert!(page.contains(&format!("id=\"v-{}\"", verdict.id)) && page.contains("2026-11-22T13:45:03.432611Z"));
    assert!(page.contains("set keepalive_timeout 800ms in upstream backend") && page.contains("GET /ok HTTP/1.1"));
    assert!(!page.contains("/api/v1"), "there is no server behind it");
}

#[test]
fn where_a_race_waits_to_happen_the_time_between_both_timeouts_is_hatched() {
    let page = Session::start("n").saw(&example::verdict()).end(vec![mismatched()], idle(&[5, 5, 5]));
    assert!(page.contains("<rect class=\"hatched\" fill=\"url(#hatch)\" x=\"44.98%\" width=\"17.99%\""), "{page}");
    assert!(page.contains(">backend closes: 5.00 s</text>") && page.contains(">nginx closes: 60.0 s</text>"));
    assert!(page.contains("<title>3 after 3.98 s to 5.01 s</title>"), "the backend's closes");
    assert!(page.contains("<title>1 after 3.16 s to 3.98 s</title>"), "the request that was hurt");
    assert!(page.contains("nginx keeps them for 60.0 s (keepalive_timeout at /etc/nginx/nginx.conf:17)"));
    let agreed = Upstream { mismatch: Some(false), advice: None, ..mismatched() };
    let page = Session::start("n").saw(&example::verdict()).end(vec![agreed], idle(&[5]));
    assert!(!page.contains("class=\"hatched\"") && page.contains(">nginx closes: 60.0 s</text>"));
}

#[test]
fn what_was_lost_and_what_is_missing_is_said() {
    let mut session = Session::start("n");
    session.summary.set_lost(Stage::Ring, 17);
    session.report.caveat("The recording ends <early>.".into());
    let page = session.end_bare();
    assert!(page.contains("<b>17</b><span>events that were not looked at</span>"));
    assert!(page.contains("<dt>17</dt><dd>records found the ring buffer full</dd>"));
    assert!(page.contains("<p class=\"caveat\">The recording ends &lt;early&gt;.</p>"));
}

#[test]
fn what_comes_from_outside_cannot_become_markup() {
    let evil = "</style><script>alert(1)</script>\"'&";
    let request = Request { line: evil.into(), client: evil.into(), host: Some(evil.into()) };
    let upstream = UpstreamLabel { name: Some(evil.into()), server: evil.into() };
    let place = NginxTimeout { value_ms: Some(1.0), at: Some(evil.into()), block_at: Some(evil.into()) };
    let hostile =
        Upstream { upstream: upstream.clone(), advice: Some(evil.into()), nginx_timeout: Some(place), ..mismatched() };
    let mut session = Session::start(evil);
    session.report.episode(&Episode { upstream: upstream.clone(), exit: Some(evil.into()), ..example::episode() });
    if let Some(ready) = &mut session.report.ready {
        ready.programs = vec![evil.into()];
        ready.features = BTreeMap::from([(evil.into(), false)]);
        ready.version = evil.into();
    }
    let (request, upstream, advice) = (Some(request), Some(Arc::new(upstream)), Some(evil.into()));
    let page = session.saw(&Verdict { request, upstream, advice, ..example::verdict() }).end(vec![hostile], idle(&[1]));
    assert!(!page.contains("<script") && page.matches("</style>").count() == 1);
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;").count() >= 10);
}

#[test]
fn nothing_is_fetched_and_nothing_but_its_own_style_counts() {
    let page = Session::start("n").saw(&example::verdict()).end(vec![mismatched()], idle(&[5]));
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("src=") && !page.contains("@import")
    );
    assert!(!page.contains(" style=\"") && !page.contains("<script") && !page.contains(" onclick"));
    assert!(page.contains("content=\"default-src 'none'; img-src data:; style-src 'sha256-"));
    // The digest is of all that is between the tags, or a browser refuses the style.
    let between = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let sum = STANDARD.encode(digest(&SHA256, between.as_bytes()));
    assert!(page.contains(&format!("'sha256-{sum}'")));
}

#[test]
fn a_session_with_all_that_can_happen_gives_a_file_of_some_megabytes_at_most() {
    let mut session = Session::start("n");
    let long = Request { line: "x".repeat(2000).into(), client: "c".into(), host: Some("h".repeat(200).into()) };
    let impacts = [Impact::RequestFailed, Impact::RequestRetried, Impact::Unknown];
    for number in 0..60_000 {
        let upstream = Some(Arc::new(UpstreamLabel {
            name: Some("backend".into()),
            server: format!("10.0.0.{}:80", number % 400),
        }));
        let cause = Cause::ALL[number % Cause::ALL.len()];
        let impact = impacts[number / 12 % impacts.len()];
        let at = KernelTime(BEGIN.0 + u64::try_from(number).unwrap() * 1_000_000);
        let confidence = Confidence::Medium;
        session = session.saw(&Verdict {
            at,
            upstream,
            cause,
            impact,
            confidence,
            request: Some(long.clone()),
            ..example::verdict()
        });
    }
    let page = session.end_bare();
    assert!(page.len() < 8 << 20, "{}", page.len());
    assert!(page.contains("more verdicts backend_crash, request failed") && page.contains("more requests are counted"));
    assert!(page.contains("data-name=\"verdicts\">5\u{202f}000 "), "all are counted");
}

#[test]
fn a_session_of_several_days_shows_the_date() {
    let mut session = Session::start("n").saw(&example::verdict());
    session.summary.end(KernelTime(BEGIN.0 + 200_000_000_000_000));
    let Session { report: parts, summary } = session;
    let (upstreams, gaps) = (Vec::new(), BTreeMap::new());
    let page = report(&parts, &Ending { summary, upstreams, gaps, connections: None, records: 0, comparison: None });
    assert!(page.contains("<time>11-22 13:45:03</time>") && page.contains("2026-11-24 "));
    assert!(page.contains("Not known: the kernel&#39;s counters at the end are missing."));
}
