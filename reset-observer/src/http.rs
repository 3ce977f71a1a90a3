//! Metrics and health over HTTP.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};

use crate::sink::metrics;

/// How long a client may take to send its request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one connection may last, from its first byte to the last of the response.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How many connections are served at once. A few scrapers and probes come; more are slow or hostile, and wait.
const MAX_CONNECTIONS: usize = 64;

/// How long to wait after accept(2) failed: it fails when file descriptors ran out, and again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the server shows.
#[derive(Clone)]
pub struct HttpState {
    /// Brings the metrics up to date and encodes them.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// `Ok` once the programs are attached, else a sentence that says what is being waited for.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The routes: `/metrics`, `/-/healthy` and `/healthz`, `/-/ready` and `/readyz`, and a page at `/` that leads there.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/", get(landing_page))
        .route("/metrics", get(show_metrics))
        .route("/-/healthy", get(healthy))
        .route("/healthz", get(healthy))
        .route("/-/ready", get(ready))
        .route("/readyz", get(ready))
        .fallback(not_found)
        .with_state(state)
}

/// Serves until `shutdown` ends; responses under way then are cut. Needs a tokio runtime with time and I/O.
///
/// Each connection carries one request, so that none is open and idle: the server must not be the next victim of the
/// race that it reports.
pub async fn serve(listener: TcpListener, state: HttpState, shutdown: impl Future<Output = ()>) {
    let router = router(state);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        serve_connection(stream, router).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    log::warn!("cannot accept an HTTP connection, raise the limit of open files: {error}");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = shutdown => {}
    }
}

async fn serve_connection(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("HTTP connection ended early: {error}"),
        Err(_) => log::debug!("HTTP connection took longer than {CONNECTION_TIMEOUT:?}"),
    }
}

async fn show_metrics(State(state): State<HttpState>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], (state.metrics)()).into_response()
}

async fn healthy() -> &'static str {
    "healthy\n"
}

async fn ready(State(state): State<HttpState>) -> Response {
    match (state.ready)() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found: try /metrics, /-/healthy or /-/ready\n")
}

async fn landing_page() -> Html<&'static str> {
    Html(concat!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>reset-observer</title></head>\n",
        "<body><h1>reset-observer ",
        env!("CARGO_PKG_VERSION"),
        "</h1>\n<p>Says why TCP connections between nginx and its upstream servers are reset.</p>\n",
        "<ul><li><a href=\"/metrics\">Metrics</a></li><li><a href=\"/-/healthy\">Health</a></li>",
        "<li><a href=\"/-/ready\">Readiness</a></li></ul></body></html>\n",
    ))
}

#[cfg(test)]
mod tests;
