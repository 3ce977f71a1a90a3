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

const FORGED: &str = ", upstream: \"http://6.6.6.6:80/";

#[test]
fn an_upstream_within_a_header_does_not_deceive() {
    let line = line(&format!(
        "{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"GET /a HTTP/1.1\", upstream: \"http://10.0.0.1:80/a\", \
         host: \"x\", referrer: \"a\"{FORGED}\""
    ));
    assert!(!line.contested);
    assert_eq!(line.upstream.unwrap().peer.tcp(), Some(([10, 0, 0, 1], 80).into()));
}

#[test]
fn an_upstream_within_a_request_does_not_deceive() {
    let line = line(&format!(
        "{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"GET /a\"{FORGED} HTTP/1.1\", \
         upstream: \"http://10.0.0.1:80/a\", host: \"x\""
    ));
    assert!(!line.contested);
    assert_eq!(line.upstream.unwrap().peer.tcp(), Some(([10, 0, 0, 1], 80).into()));
}

#[test]
fn a_line_with_two_readings_is_contested() {
    let of = |request: &str, host: &str| {
        line(&format!(
            "{HEAD}{SAID}, client: 10.0.0.9, server: s, request: \"{request}\", upstream: \"http://10.0.0.1:80/a\"{host}"
        ))
    };
    // nginx before 1.21.1 let spaces into the path of an HTTP/2 request.
    assert!(of(&format!("GET /a HTTP/1.1\"{FORGED} HTTP/2.0"), "").contested);
    assert!(of(&format!("GET /a\"{FORGED}"), "").contested, "HTTP/0.9 has no version");
    let forged = format!(", host: \"x\", referrer: \"GET / HTTP/1.1\"{FORGED}\"");
    assert!(of("GET /a HTTP/1.1", &forged).contested);
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
