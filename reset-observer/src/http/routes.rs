//! Which path shows what.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::Semaphore;

use super::{
    Observed, Web,
    accept::{Format, wanted},
    api,
    auth::Authenticator,
    guard::{self, Guard},
    scrape::Scrape,
};
use crate::sink::{
    history::Span,
    html,
    metrics::{self, plain_text},
};

/// How many pages and answers of the API are made and sent at a time.
const MAX_PAGES: usize = 8;

/// What each route has at hand.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) observed: Arc<dyn Observed>,
    open_metrics: Arc<Scrape>,
    plain_text: Arc<Scrape>,
    protobuf: Arc<Scrape>,
    pages: Arc<Semaphore>,
    random: SystemRandom,
}

/// The routes: `/metrics`, `/-/healthy` and `/healthz`, `/-/ready` and `/readyz`, `/api/v1/verdicts` and `/upstreams`, and
/// the page at `/`. All of them for whom the web configuration lets in.
pub(super) fn router(observed: Arc<dyn Observed>, web: Arc<Web>) -> Router {
    let (open, plain, messages) = (Arc::clone(&observed), Arc::clone(&observed), Arc::clone(&observed));
    let shown = Shown {
        observed,
        open_metrics: Arc::new(Scrape::new(move || open.open_metrics())),
        plain_text: Arc::new(Scrape::new(move || plain_text::plain_text(&plain.open_metrics()))),
        protobuf: Arc::new(Scrape::new(move || messages.protobuf())),
        pages: Arc::new(Semaphore::new(MAX_PAGES)),
        random: SystemRandom::new(),
    };
    let guard = Guard { web, authenticator: Arc::new(Authenticator::new(&shown.random)) };
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(show_metrics))
        .route("/-/healthy", get(healthy))
        .route("/healthz", get(healthy))
        .route("/-/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/api/v1/verdicts", get(api::verdicts))
        .route("/api/v1/upstreams", get(api::upstreams))
        .fallback(not_found)
        .with_state(shown)
        .layer(middleware::from_fn_with_state(guard, guard::guard))
}

impl Shown {
    /// A body while there is a place for one more; the place is free again once it was sent.
    pub(super) fn with_place(&self, kind: &'static str, make: impl FnOnce() -> String) -> Response {
        let Ok(place) = Arc::clone(&self.pages).try_acquire_owned() else {
            let busy = "too many are being sent: try again in a second\n";
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], busy).into_response();
        };
        let body = Bytes::from_owner(Page { text: make(), _place: place });
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

struct Page {
    text: String,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

async fn show_metrics(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    let (kind, scrape) = match wanted(&headers, shown.observed.offers_protobuf()) {
        Format::OpenMetrics => (metrics::CONTENT_TYPE, &shown.open_metrics),
        Format::Protobuf => (metrics::PROTOBUF_CONTENT_TYPE, &shown.protobuf),
        Format::PlainText => (plain_text::CONTENT_TYPE, &shown.plain_text),
    };
    ([(header::CONTENT_TYPE, kind), (header::VARY, "Accept")], scrape.body()).into_response()
}

async fn healthy() -> &'static str {
    "healthy\n"
}

async fn ready(State(shown): State<Shown>) -> Response {
    match shown.observed.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found: try /, /metrics, /api/v1/verdicts, /-/healthy or /-/ready\n")
}

async fn page(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Response {
    let day = query.is_some_and(|query| query.split('&').any(|pair| pair == "span=day"));
    let span = if day { Span::Day } else { Span::Hour };
    let Some(nonce) = shown.nonce() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "no random numbers to be had: see /metrics\n").into_response();
    };
    let mut response =
        shown.with_place("text/html; charset=utf-8", || html::page(&shown.observed.overview(span), &nonce));
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = policy.parse() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

impl Shown {
    /// Nobody can guess it, and no two pages have the same.
    fn nonce(&self) -> Option<String> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).ok()?;
        Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
