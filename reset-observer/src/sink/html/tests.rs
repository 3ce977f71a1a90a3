use super::page;
use crate::{
    episode::Episode,
    record::KernelTime,
    sink::{
        example,
        history::{Filter, History, Span},
        losses::Stage,
        overview::{Overview, Own, Server},
        upstream::{LearnedTimeout, NginxTimeout, Upstream},
    },
    verdict::{Cause, Request, UpstreamLabel, Verdict},
};

fn overview(history: &History, upstreams: Vec<Upstream>) -> Overview {
    let now = KernelTime(4_000_000_000);
    Overview {
        node: "node-7".into(),
        clock: example::CLOCK,
        now,
        started: KernelTime(1_000_000_000),
        ready: Ok(()),
        span: Span::Hour,
        buckets: history.over_time(Span::Hour, now),
        totals: *history.totals(),
        servers: Server::all(history, upstreams),
        episodes: history.episodes(),
        verdicts: history.newest(&Filter::default(), 50),
        own: Own { lost: vec![(Stage::Ring, 0), (Stage::Repeated, 1234)], ..Own::default() },
    }
}

fn mismatched() -> Upstream {
    Upstream {
        upstream: UpstreamLabel { name: Some("backend".into()), server: "10.99.2.1:3000".into() },
        learned_timeout: LearnedTimeout { value_ms: 5000.0, spread_ms: 2.0, samples: 3 },
        nginx_timeout: Some(NginxTimeout { value_ms: Some(60_000.0), at: None, block_at: None }),
        mismatch: Some(true),
        expected_races: None,
        advice: Some("set keepalive_timeout 4s".into()),
    }
}

fn one(verdict: Verdict) -> History {
    let mut history = History::new();
    history.add(verdict);
    history
}

#[test]
fn a_page_without_anything_to_show_says_so() {
    let page = page(&overview(&History::new(), Vec::new()), "n0nce");
    assert!(page.contains("No connection ended in a way worth a verdict in this time."));
    assert!(page.contains("Nothing is known of any server yet"));
    assert!(page.contains("watching for 3.00 s"));
}

#[test]
fn a_verdict_shows_with_its_evidence_its_advice_and_its_bar() {
    let verdict = example::verdict();
    let page = page(&overview(&one(verdict.clone()), Vec::new()), "n0nce");
    assert!(page.contains(&format!("id=\"v-{}\"", verdict.id)));
    assert!(
        page.contains("<li>the backend&#39;s FIN arrived</li>") || page.contains("<li>the backend's FIN arrived</li>")
    );
    assert!(page.contains("set keepalive_timeout 800ms in upstream backend"));
    assert!(page.contains("<rect class=\"keepalive_race\"") && page.contains("<time>13:45:03</time>"));
    assert!(page.contains("GET /ok HTTP/1.1") && page.contains("shop/web"));
}

#[test]
fn an_episode_shows_as_a_sentence_and_its_names_cannot_become_markup() {
    let mut history = History::new();
    assert!(!page(&overview(&history, Vec::new()), "n0nce").contains("Crashes and restarts"));
    let upstream = UpstreamLabel { name: Some("<b>backend".into()), server: "10.99.2.1:3000".into() };
    history.add_episode(Episode { upstream, ..example::episode() });
    let page = page(&overview(&history, Vec::new()), "n0nce");
    assert!(page.contains("Crashes and restarts") && page.contains("connections cut 7, refused 0."));
    assert!(page.contains("&lt;b&gt;backend: backend_crash (high)") && !page.contains("<b>backend"));
}

#[test]
fn a_mismatch_is_in_the_picture_and_in_words() {
    let page = page(&overview(&one(example::verdict()), vec![mismatched()]), "n0nce");
    assert!(page.contains("<rect class=\"danger\"") && page.contains("class=\"mismatch\""));
    assert!(page.contains("A race waits to happen: set keepalive_timeout 4s."));
    assert!(page.contains("data-name=\"backend\">5.00 s<") && page.contains("data-name=\"nginx\">60.0 s<"));
    let agreed = Upstream { mismatch: Some(false), advice: None, ..mismatched() };
    let page = super::page(&overview(&History::new(), vec![agreed]), "n0nce");
    assert!(!page.contains("<rect class=\"danger\"") && page.contains("<rect class=\"nginx\""));
}

#[test]
fn what_comes_from_outside_cannot_become_markup() {
    let evil = "<script>alert(1)</script>\"'";
    let request = Request { line: evil.into(), client: evil.into(), host: Some(evil.into()) };
    let upstream = UpstreamLabel { name: Some(evil.into()), server: evil.into() };
    let verdict = Verdict {
        request: Some(request),
        upstream: Some(std::sync::Arc::new(upstream.clone())),
        advice: Some(evil.into()),
        ..example::verdict()
    };
    let hostile = Upstream { upstream, advice: Some(evil.into()), ..mismatched() };
    let mut overview = overview(&one(verdict), vec![hostile]);
    overview.node = evil.into();
    overview.ready = Err(evil.into());
    overview.own.programs = vec![evil.into()];
    overview.own.features = vec![(evil.into(), false)];
    let page = page(&overview, "n0nce");
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(!page.contains("alert(1)</script>") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;"));
}

#[test]
fn nothing_is_loaded_from_outside_and_no_style_or_script_is_without_a_nonce() {
    let page = page(&overview(&one(example::verdict()), vec![mismatched()]), "n0nce");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
    assert!(!page.contains(" style=\"") && !page.contains(" onclick"));
    assert_eq!(page.matches("nonce=\"n0nce\"").count(), 2);
}

#[test]
fn the_style_knows_every_cause_in_light_and_in_dark() {
    for cause in Cause::ALL {
        assert_eq!(super::STYLE.matches(&format!("--{cause}: #")).count(), 2, "{cause}");
        for rule in [format!(".{cause} {{ fill"), format!(".badge.{cause} {{"), format!("i.{cause} {{")] {
            assert!(super::STYLE.contains(&rule), "{rule}");
        }
    }
}

#[test]
fn a_page_with_all_that_can_be_shown_is_bounded() {
    let mut history = History::new();
    for number in 0..2000 {
        let upstream = Some(std::sync::Arc::new(UpstreamLabel { name: None, server: format!("server-{number}:80") }));
        history.add(Verdict { at: KernelTime(number), upstream, ..example::verdict() });
    }
    let page = page(&overview(&history, Vec::new()), "n0nce");
    assert!(page.len() < 200_000, "{}", page.len());
    assert!(page.contains("151 more are in"));
}
