//! The web configuration file, in the shape that Prometheus's exporters share ([format]), as far as it makes sense here.
//! What is not understood is refused: a misspelt `basic_auth_users` must not leave the door open.
//!
//! [format]: https://github.com/prometheus/exporter-toolkit/blob/v0.14.0/docs/web-configuration.md

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use axum::http::{HeaderName, HeaderValue};

use crate::yaml::{Entry, Mapping, Mistake, Node, Value, parse};

mod tls;

pub use tls::{ClientCertificates, Pem, TlsConfig, TlsVersion};

/// No hash costs more: it would take longer than a connection lasts.
const MAX_BCRYPT_COST: u32 = 16;

/// Keys of the exporters' format that have no meaning here, and why.
const NOT_OFFERED: [(&str, &str); 5] = [
    ("rate_limit", "how much each request can cost is bounded anyway"),
    ("cipher_suites", "there are only strong ones"),
    ("prefer_server_cipher_suites", "there are only strong ones"),
    ("curve_preferences", "there are only strong ones"),
    ("client_allowed_sans", "use a client_ca_file that signs nothing but the clients to be let in"),
];

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebConfig {
    /// TLS, if any.
    pub tls: Option<TlsConfig>,
    /// Names and bcrypt hashes; empty lets everyone in.
    pub users: BTreeMap<String, String>,
    /// Headers of every response.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl WebConfig {
    /// Reads the text of a file. Paths in it are relative to `directory`.
    ///
    /// # Errors
    /// What is wrong with it, where, and what to do.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, Mistake> {
        let node = parse(text)?;
        let known = ["tls_server_config", "http_server_config", "basic_auth_users"];
        let file = mapping(&node, &known)?;
        let tls = file.get("tls_server_config").map(|node| TlsConfig::read(node, directory)).transpose()?;
        let headers = file.get("http_server_config").map(http).transpose()?.unwrap_or_default();
        let users = file.get("basic_auth_users").map(users).transpose()?.unwrap_or_default();
        Ok(Self { tls, users, headers })
    }

    /// The files that it names.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.tls.iter().flat_map(TlsConfig::files).collect()
    }
}

/// Keys that are known here; of those that only other exporters know, why not.
fn mapping<'a>(node: &'a Node, known: &[&str]) -> Result<Mapping<'a>, Mistake> {
    for entry in Mapping::of_any(node)?.entries() {
        if let Some((key, why)) = NOT_OFFERED.iter().find(|(key, _)| *key == entry.key) {
            return Err(Mistake::new(entry.place, format!("{key} is not offered here, leave it out: {why}")));
        }
    }
    Mapping::of(node, known)
}

fn http(node: &Node) -> Result<Vec<(HeaderName, HeaderValue)>, Mistake> {
    let http = mapping(node, &["http2", "headers"])?;
    // Each connection carries one request, in HTTP/1.1; a client that offers both takes it without ado.
    http.get("http2").map(Node::truth).transpose()?;
    let Some(headers) = http.get("headers") else { return Ok(Vec::new()) };
    let known = [
        "Content-Security-Policy",
        "X-Frame-Options",
        "X-Content-Type-Options",
        "X-XSS-Protection",
        "Strict-Transport-Security",
    ];
    mapping(headers, &known)?.entries().iter().filter_map(|entry| header(entry).transpose()).collect()
}

fn header(entry: &Entry) -> Result<Option<(HeaderName, HeaderValue)>, Mistake> {
    if entry.value.value == Value::Empty {
        return Ok(None);
    }
    let value = entry.value.text()?;
    let read = entry.key.parse().ok().zip(value.parse().ok());
    read.map(Some).ok_or_else(|| Mistake::new(entry.value.place, "a header has one line of plain characters"))
}

fn users(node: &Node) -> Result<BTreeMap<String, String>, Mistake> {
    Mapping::of_any(node)?.entries().iter().map(|entry| Ok((entry.key.clone(), hash(entry)?))).collect()
}

fn hash(entry: &Entry) -> Result<String, Mistake> {
    let make_one = "make one with `htpasswd -nBC 10 NAME`";
    let hash = entry.value.text()?;
    let wrong = |what: String| Mistake::new(entry.value.place, what);
    let parts: bcrypt::HashParts =
        hash.parse().map_err(|_| wrong(format!("the password of {:?} is no bcrypt hash: {make_one}", entry.key)))?;
    match parts.get_cost() {
        cost if cost > MAX_BCRYPT_COST => Err(wrong(format!(
            "a bcrypt hash of cost {cost} takes too long to check, {MAX_BCRYPT_COST} is the most: {make_one}"
        ))),
        _ => Ok(hash.to_owned()),
    }
}

#[cfg(test)]
mod tests;
