//! Text from clients and backends that holds quotes, imitates nginx's grammar, or is no text.

use super::{HEAD, Kind, Line, line};

const SAID: &str = "recv() failed (104: Connection reset by peer) while reading response header from upstream";

#[test]
fn quotes_and_commas_in_a_request_do_not_end_it() {
    let line = line(&format!(
        "{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"GET /a\",b=\"c\", host: \"evil\" HTTP/1.1\", \
         upstream: \"http://10.0.0.1:80/a\",b=\"c\"\", host: \"x\""
    ));
    assert_eq!(line.request.as_deref(), Some("GET /a\",b=\"c\", host: \"evil\" HTTP/1.1"));
    assert_eq!(line.upstream.unwrap().uri, "/a\",b=\"c\"");
    assert_eq!(line.host.as_deref(), Some("x"));
    assert!(!line.contested);
}

#[test]
fn an_upstream_within_a_request_or_a_referrer_makes_the_line_contested() {
    let forged = ", upstream: \"http://6.6.6.6:80/";
    let in_request = line(&format!(
        "{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"GET /a\"{forged} HTTP/1.1\", \
         upstream: \"http://10.0.0.1:80/a\", host: \"x\""
    ));
    assert!(in_request.contested);
    assert_eq!(in_request.upstream.unwrap().peer.tcp(), Some(([10, 0, 0, 1], 80).into()));
    let in_referrer = line(&format!(
        "{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"GET /a HTTP/1.1\", upstream: \"http://10.0.0.1:80/a\", \
         host: \"x\", referrer: \"a\"{forged}\""
    ));
    assert!(in_referrer.contested);
    assert_eq!(in_referrer.upstream.unwrap().peer.tcp(), Some(([10, 0, 0, 1], 80).into()));
}

#[test]
fn a_tail_within_the_message_makes_the_line_contested() {
    let line = line(&format!(
        "{HEAD}upstream sent duplicate header line: \"A: x, client: 6.6.6.6, server: y\" while reading response header \
         from upstream, client: 10.0.0.9, server: s, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.1:80/\""
    ));
    assert!(line.contested);
    assert_eq!(line.complaint.kind, Kind::InvalidResponse);
}

#[test]
fn bytes_that_are_no_text_are_shown_escaped() {
    let mut bytes = format!("{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"GET /").into_bytes();
    bytes.extend(b"\xff\x1b[31m\xc3\xa9 HTTP/1.1\", upstream: \"http://10.0.0.1:80/\"");
    let line = Line::parse(&bytes).unwrap();
    assert_eq!(line.request.as_deref(), Some("GET /\\xFF\\x1B[31m\u{e9} HTTP/1.1"));
    assert!(line.upstream.unwrap().peer.tcp().is_some());
}

#[test]
fn binary_garbage_of_any_length_is_no_line() {
    let garbage: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    assert_eq!(Line::parse(&garbage), None);
    let mut long = HEAD.as_bytes().to_vec();
    long.extend(&garbage);
    assert!(Line::parse(&long).unwrap().truncated);
}
