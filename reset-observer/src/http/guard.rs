//! What holds for every request: who may ask, and headers by which a browser does nothing it should not.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Web,
    auth::{Authenticator, Outcome},
};

/// Who may ask.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) web: Arc<Web>,
    pub(super) authenticator: Arc<Authenticator>,
}

/// Set unless the response or the web configuration sets them.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("deny")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let web = guard.web.current();
    let mut response = match guard.authenticator.check(&web.users, request.headers()).await {
        Outcome::Granted => next.run(request).await,
        Outcome::Denied => denied(),
        Outcome::Busy => busy(),
    };
    let headers = response.headers_mut();
    for (name, value) in &web.headers {
        headers.insert(name, value.clone());
    }
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    response
}

fn denied() -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"reset-observer\"")];
    (StatusCode::UNAUTHORIZED, ask, "unauthorized: a name and password of basic_auth_users is wanted\n").into_response()
}

fn busy() -> Response {
    let later = [(header::RETRY_AFTER, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, later, "too many passwords are being checked: try again later\n").into_response()
}
