use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    record::KernelTime,
    sink::{
        clock::WallClock,
        example,
        history::{Filter, History, Span},
        metrics::{BuildInfo, Metrics},
        overview::{Overview, Own, Server as KnownServer},
        upstream::Upstream,
    },
    verdict::Verdict,
};

/// What a daemon would show, of one verdict.
struct OneVerdict {
    is_ready: AtomicBool,
    metrics: Mutex<Metrics>,
    history: History,
}

impl OneVerdict {
    fn new() -> Self {
        let mut metrics = Metrics::new(BuildInfo::of_this_program(), example::CLOCK);
        let mut history = History::new();
        metrics.observe_verdict(&example::verdict());
        history.add(example::verdict());
        Self { is_ready: AtomicBool::new(false), metrics: Mutex::new(metrics), history }
    }
}

impl Observed for OneVerdict {
    fn open_metrics(&self) -> String {
        self.metrics.lock().unwrap().encode()
    }

    fn ready(&self) -> Result<(), String> {
        self.is_ready.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "the programs are being loaded".into())
    }

    fn verdicts(&self, filter: &Filter, limit: usize) -> Vec<Arc<Verdict>> {
        self.history.newest(filter, limit)
    }

    fn upstreams(&self) -> Vec<Upstream> {
        Vec::new()
    }

    fn overview(&self, span: Span) -> Overview {
        let now = KernelTime(4_000_000_000);
        Overview {
            node: "node-7".into(),
            clock: example::CLOCK,
            now,
            started: KernelTime(0),
            ready: self.ready(),
            span,
            buckets: self.history.over_time(span, now),
            totals: *self.history.totals(),
            servers: KnownServer::all(&self.history, Vec::new()),
            episodes: self.history.episodes(),
            verdicts: self.verdicts(&Filter::default(), 10),
            own: Own::default(),
        }
    }

    fn clock(&self) -> WallClock {
        example::CLOCK
    }
}

async fn start_with(web: Web) -> (SocketAddr, Arc<OneVerdict>) {
    let shown = Arc::new(OneVerdict::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Arc::<OneVerdict>::clone(&shown), Arc::new(web), std::future::pending()));
    (address, shown)
}

async fn start() -> SocketAddr {
    start_with(Web::open_to_all()).await.0
}

async fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have answered and closed before it has all.
    _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask_with(address: SocketAddr, request: &str, header: &str) -> String {
    send(address, format!("{request} HTTP/1.1\r\nHost: x\r\n{header}\r\n").as_bytes()).await
}

async fn ask(address: SocketAddr, request: &str) -> String {
    ask_with(address, request, "").await
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn metrics_come_in_the_format_that_was_asked_for() {
    let address = start().await;
    let open = ask_with(address, "GET /metrics", "Accept: application/openmetrics-text\r\n").await;
    assert!(open.starts_with("HTTP/1.1 200"), "{open}");
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), "{open}");
    assert!(open.contains(" # {verdict_id=\"") && open.ends_with("# EOF\n"), "{open}");
    let plain = ask(address, "GET /metrics").await;
    assert!(plain.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{plain}");
    assert!(!plain.contains(" # {") && !plain.contains("# EOF"), "{plain}");
}

#[tokio::test]
async fn readiness_follows_the_programs_and_health_does_not() {
    let (address, shown) = start_with(Web::open_to_all()).await;
    for path in ["/-/ready", "/readyz"] {
        let answer = ask(address, &format!("GET {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert_eq!(body(&answer), "not ready: the programs are being loaded\n");
    }
    for path in ["/-/healthy", "/healthz"] {
        assert!(ask(address, &format!("GET {path}")).await.starts_with("HTTP/1.1 200"));
    }
    shown.is_ready.store(true, Ordering::Relaxed);
    assert!(ask(address, "GET /-/ready").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn verdicts_come_as_they_stand_in_json_lines() {
    let address = start().await;
    let verdict = example::verdict();
    let all: serde_json::Value = serde_json::from_str(body(&ask(address, "GET /api/v1/verdicts").await)).unwrap();
    assert_eq!(all["verdicts"][0]["type"], "verdict");
    assert_eq!(all["verdicts"][0]["time"], "2026-11-22T13:45:03.432611Z");
    assert_eq!(all["verdicts"][0]["id"], verdict.id.to_string());
    let one = ask(address, &format!("GET /api/v1/verdicts?id={}&cause=keepalive_race", verdict.id)).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(body(&one)).unwrap(), all);
    let none = ask(address, "GET /api/v1/verdicts?cause=backend_crash").await;
    assert!(none.contains("content-type: application/json") && none.contains("\"verdicts\":[]"), "{none}");
    let wrong = ask(address, "GET /api/v1/verdicts?cause=backend_crsh").await;
    assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("did you mean backend_crash?"), "{wrong}");
    let upstreams = ask(address, "GET /api/v1/upstreams").await;
    assert_eq!(body(&upstreams), "{\"schema\":1,\"upstreams\":[]}\n");
}

#[tokio::test]
async fn the_page_leads_to_the_rest_and_a_browser_runs_nothing_but_its_own_script() {
    let address = start().await;
    let answer = ask(address, "GET /?span=day").await;
    assert!(
        answer.contains("content-type: text/html; charset=utf-8") && answer.contains("href=\"/metrics\""),
        "{answer}"
    );
    let (_, nonce) = answer.split_once("script-src 'nonce-").unwrap();
    let nonce = &nonce[..32];
    assert!(answer.contains(&format!("<script nonce=\"{nonce}\">")), "{answer}");
    assert!(answer.contains(&format!("default-src 'none'; style-src 'nonce-{nonce}'")), "{answer}");
    assert!(!ask(address, "GET /").await.contains(nonce), "each page has a nonce of its own");
}

#[tokio::test]
async fn each_answer_tells_browsers_to_be_careful() {
    let address = start().await;
    for path in ["/", "/metrics", "/nothing", "/api/v1/verdicts"] {
        let answer = ask(address, &format!("GET {path}")).await;
        for header in [
            "content-security-policy: default-src 'none'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path} lacks {header}: {answer}");
        }
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_are_refused() {
    let address = start().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
        let answer = ask(address, &format!("{method} /metrics")).await;
        assert!(answer.starts_with("HTTP/1.1 405") || answer.starts_with("HTTP/1.1 400"), "{method}: {answer}");
    }
    assert!(ask(address, "GET /nothing").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "GET /../etc/passwd").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "HEAD /metrics").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "nonsense").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn headers_that_are_too_long_or_too_many_are_refused() {
    let address = start().await;
    let long = format!("X: {}\r\n", "x".repeat(2 * MAX_HEADER));
    assert!(ask_with(address, "GET /metrics", &long).await.starts_with("HTTP/1.1 431"));
    let many = "X: y\r\n".repeat(MAX_HEADER_LINES + 1);
    assert!(ask_with(address, "GET /metrics", &many).await.starts_with("HTTP/1.1 431"));
    let path = "x".repeat(2 * MAX_HEADER);
    let answer = ask(address, &format!("GET /{path}")).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(ask(address, "GET /-/healthy").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let address = start().await;
    assert!(ask(address, "GET /-/healthy").await.contains("connection: close"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_header_is_let_go() {
    let address = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    let begun = time::Instant::now();
    let mut answer = Vec::new();
    // Closed, with or without an answer.
    _ = stream.read_to_end(&mut answer).await;
    assert!(begun.elapsed() <= HEADER_TIMEOUT + Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn silent_clients_cannot_keep_the_others_out() {
    let address = start().await;
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(ask(address, "GET /-/healthy").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn serving_ends_with_the_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, Arc::new(OneVerdict::new()), Arc::new(Web::open_to_all()), std::future::ready(())).await;
}

mod secured;
