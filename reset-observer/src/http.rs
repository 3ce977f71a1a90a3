//! Metrics, health, an API and a page over HTTP, with TLS and passwords by the exporters' web configuration file.

use std::{future::Future, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};

mod accept;
mod api;
mod auth;
mod guard;
mod observed;
mod routes;
mod scrape;
mod thread;
mod tls;
mod web;
pub mod web_config;

pub use observed::Observed;
pub use thread::Server;
pub use web::Web;

/// How long a client may take for the TLS handshake, and again to send its request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one connection may last, from its first byte to the last of the response.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// How many connections are served at once. A few scrapers and probes come; more are slow or hostile, and wait.
const MAX_CONNECTIONS: usize = 128;

/// No request's header is longer, bytes.
const MAX_HEADER: usize = 16 << 10;

/// No request has more header lines.
const MAX_HEADER_LINES: usize = 64;

/// How long to wait after accept(2) failed: it fails when file descriptors ran out, and again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` ends; responses under way then are cut. Needs a tokio runtime with time and I/O.
///
/// Each connection carries one request, so that none is open and idle: the server must not be the next victim of the
/// race that it reports.
pub async fn serve(
    listener: TcpListener,
    observed: Arc<dyn Observed>,
    web: Arc<Web>,
    shutdown: impl Future<Output = ()>,
) {
    let router = routes::router(observed, Arc::clone(&web));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (router, web) = (router.clone(), Arc::clone(&web));
                    tokio::spawn(async move {
                        welcome(stream, router, &web).await;
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

/// With TLS if the web configuration of this moment says so.
async fn welcome(stream: TcpStream, router: Router, web: &Web) {
    let Some(tls) = web.current().tls.clone() else { return serve_connection(stream, router).await };
    match time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_connection(stream, router).await,
        Ok(Err(error)) => log::debug!("TLS handshake failed: {error}"),
        Err(_) => log::debug!("TLS handshake took longer than {HEADER_TIMEOUT:?}"),
    }
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER)
        .max_headers(MAX_HEADER_LINES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("HTTP connection ended early: {error}"),
        Err(_) => log::debug!("HTTP connection took longer than {CONNECTION_TIMEOUT:?}"),
    }
}

#[cfg(test)]
mod tests;
