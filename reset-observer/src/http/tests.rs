use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn start() -> (SocketAddr, Arc<AtomicBool>) {
    let is_ready = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_ready);
    let state = HttpState {
        metrics: Arc::new(|| "# EOF\n".to_owned()),
        ready: Arc::new(move || match seen.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("the programs are being loaded".to_owned()),
        }),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, state, std::future::pending()));
    (address, is_ready)
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.to_ascii_lowercase()
}

#[tokio::test]
async fn metrics_come_as_openmetrics() {
    let (address, _) = start().await;
    let answer = ask(address, "GET /metrics").await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("# eof\n"), "{answer}");
}

#[tokio::test]
async fn readiness_follows_the_programs_and_health_does_not() {
    let (address, is_ready) = start().await;
    for path in ["/-/ready", "/readyz"] {
        let answer = ask(address, &format!("GET {path}")).await;
        assert!(answer.starts_with("http/1.1 503"), "{answer}");
        assert!(answer.ends_with("not ready: the programs are being loaded\n"), "{answer}");
    }
    for path in ["/-/healthy", "/healthz"] {
        assert!(ask(address, &format!("GET {path}")).await.starts_with("http/1.1 200"));
    }
    is_ready.store(true, Ordering::Relaxed);
    assert!(ask(address, "GET /-/ready").await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn the_front_page_leads_to_the_rest() {
    let (address, _) = start().await;
    let answer = ask(address, "GET /").await;
    assert!(answer.contains("content-type: text/html") && answer.contains("href=\"/metrics\""), "{answer}");
    assert!(answer.contains(env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn wrong_methods_and_paths_are_refused() {
    let (address, _) = start().await;
    assert!(ask(address, "POST /metrics").await.starts_with("http/1.1 405"));
    assert!(ask(address, "GET /nothing").await.starts_with("http/1.1 404"));
    assert!(ask(address, "HEAD /metrics").await.starts_with("http/1.1 200"));
    assert!(ask(address, "nonsense").await.starts_with("http/1.1 400"));
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let (address, _) = start().await;
    assert!(ask(address, "GET /-/healthy").await.contains("connection: close"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_header_is_let_go() {
    let (address, _) = start().await;
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
    let (address, _) = start().await;
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(ask(address, "GET /-/healthy").await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn serving_ends_with_the_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let state = HttpState { metrics: Arc::new(String::new), ready: Arc::new(|| Ok(())) };
    serve(listener, state, std::future::ready(())).await;
}
