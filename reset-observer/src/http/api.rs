//! `/api/v1`: the newest verdicts and the upstream servers as JSON. A public contract: fields are added, never renamed.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::routes::Shown;
use crate::{
    sink::{
        clock::WallClock,
        history::{Filter, MAX_HARMLESS_KEPT, MAX_KEPT},
        json::{Lines, SCHEMA},
        upstream::Upstream,
    },
    verdict::{Cause, Verdict},
    yaml::unknown,
};

const JSON: &str = "application/json";

/// How many verdicts are given unless told otherwise.
const USUAL_LIMIT: usize = 100;

const PARAMETERS: [&str; 6] = ["cause", "upstream", "server", "id", "all", "limit"];

#[derive(Serialize)]
struct Upstreams {
    schema: u32,
    upstreams: Vec<Upstream>,
}

pub(super) async fn verdicts(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Response {
    let (filter, limit) = match read(query.as_deref().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(mistake) => return (StatusCode::BAD_REQUEST, format!("{mistake}\n")).into_response(),
    };
    shown.with_place(JSON, || {
        let found = shown.observed.verdicts(&filter, limit);
        encode_verdicts(found.iter().map(AsRef::as_ref), shown.observed.clock())
    })
}

pub(super) async fn upstreams(State(shown): State<Shown>) -> Response {
    shown.with_place(JSON, || encode(&Upstreams { schema: SCHEMA, upstreams: shown.observed.upstreams() }))
}

/// Each as it stands in a line, and how many are kept at most; older ones are gone.
fn encode_verdicts<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>, clock: WallClock) -> String {
    let kept_at_most = MAX_KEPT + MAX_HARMLESS_KEPT;
    let mut text = format!(r#"{{"schema":{SCHEMA},"kept_at_most":{kept_at_most},"verdicts":["#).into_bytes();
    let mut lines = Lines::new(clock);
    for (index, verdict) in verdicts.into_iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        lines.verdict(verdict, &mut text);
    }
    text.extend_from_slice(b"]}\n");
    String::from_utf8(text).unwrap_or_default()
}

fn encode<T: Serialize>(body: &T) -> String {
    // Keys are texts and numbers are finite, so that nothing can be refused.
    let mut text = serde_json::to_string(body).unwrap_or_default();
    text.push('\n');
    text
}

fn read(query: &str) -> Result<(Filter, usize), String> {
    let (mut filter, mut limit) = (Filter::default(), USUAL_LIMIT);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "cause" => filter.causes.push(cause(&value)?),
            "upstream" => filter.upstream = Some(value.into_owned()),
            "server" => filter.server = Some(value.into_owned()),
            "id" => filter.id = Some(serde_json::from_value(value.into()).map_err(|error| format!("id: {error}"))?),
            "all" => filter.all = value.parse().map_err(|_| "all: write true or false")?,
            "limit" => limit = value.parse().map_err(|_| "limit: write a number".to_owned())?,
            other => return Err(unknown(other, &PARAMETERS)),
        }
    }
    Ok((filter, limit))
}

fn cause(name: &str) -> Result<Cause, String> {
    let known: Vec<&str> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    let cause = Cause::ALL.iter().find(|cause| cause.as_str() == name);
    cause.copied().ok_or_else(|| unknown(name, &known).replacen("unknown key", "unknown cause", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_verdicts_are_wanted() {
        let (filter, limit) = read("cause=keepalive_race&cause=unknown&upstream=a%20b&all=true&limit=7").unwrap();
        assert_eq!(filter.causes, [Cause::KeepaliveRace, Cause::Unknown]);
        assert_eq!((filter.upstream.as_deref(), filter.all, limit), (Some("a b"), true, 7));
        assert_eq!(read("").unwrap(), (Filter::default(), USUAL_LIMIT));
    }

    #[test]
    fn a_query_that_is_not_understood_is_refused_with_what_was_meant() {
        assert_eq!(read("couse=unknown").unwrap_err(), "unknown key \"couse\": did you mean cause?");
        assert_eq!(
            read("cause=keepalive_rice").unwrap_err(),
            "unknown cause \"keepalive_rice\": did you mean keepalive_race?"
        );
        assert!(read("limit=-1").is_err() && read("all=yes").is_err() && read("id=7").is_err());
    }
}
