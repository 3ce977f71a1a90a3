use jiff::civil::date;

use super::{Action, Call, Client, Kind, Level, Line, MAX_LINE, Peer};
use crate::record::Exit;

mod corpus;
mod hostile;
mod kinds;

const HEAD: &str = "2026/11/22 13:45:03 [error] 3632#3632: *7 ";
const TAIL: &str = ", client: 127.0.0.1, server: example.org, request: \"GET /ok?a=1,2 HTTP/1.1\", \
                    upstream: \"http://10.99.2.1:3000/ok?a=1,2\", host: \"x:8080\", referrer: \"http://r/\"";

fn line(text: &str) -> Line {
    Line::parse(text.as_bytes()).unwrap()
}

/// What nginx 1.22.1 says, with the tail of a proxied request.
fn said(message: &str) -> Line {
    line(&format!("{HEAD}{message}{TAIL}"))
}

#[test]
fn every_part_of_a_line_is_read() {
    let line = said("recv() failed (104: Connection reset by peer) while reading response header from upstream");
    assert_eq!(line.written, date(2026, 11, 22).at(13, 45, 3, 0));
    assert_eq!((line.level, line.pid, line.connection), (Level::Error, 3632, Some(7)));
    assert_eq!((line.complaint.kind, line.complaint.call), (Kind::Failed, Some(Call::Recv)));
    assert_eq!(line.complaint.errno, Some(104));
    assert_eq!(line.action, Some(Action::ReadingResponseHeader));
    assert_eq!(line.client, Some(Client::Ip([127, 0, 0, 1].into())));
    assert_eq!(line.server.as_deref(), Some("example.org"));
    assert_eq!(line.request.as_deref(), Some("GET /ok?a=1,2 HTTP/1.1"));
    assert_eq!(line.method(), Some("GET"));
    assert_eq!(line.subrequest, None);
    let upstream = line.upstream.as_ref().unwrap();
    assert_eq!(upstream.peer, Peer::Tcp(([10, 99, 2, 1], 3000).into()));
    assert_eq!((upstream.scheme.as_str(), upstream.uri.as_str()), ("http", "/ok?a=1,2"));
    assert_eq!(line.host.as_deref(), Some("x:8080"));
    assert_eq!(line.referrer.as_deref(), Some("http://r/"));
    assert!(!line.truncated && !line.contested && line.is_whole());
}

#[test]
fn no_live_upstreams_names_the_block_and_no_server() {
    let line = line(&format!(
        "{HEAD}no live upstreams while connecting to upstream, client: ::1, server: , request: \"GET / HTTP/1.1\", \
         upstream: \"http://backend/\", host: \"x\""
    ));
    assert_eq!(line.complaint.kind, Kind::NoLiveUpstreams);
    assert_eq!(line.client, Some(Client::Ip(std::net::Ipv6Addr::LOCALHOST.into())));
    assert_eq!(line.server.as_deref(), Some(""));
    assert_eq!(line.upstream.unwrap().peer, Peer::Name("backend".into()));
}

#[test]
fn a_peer_is_an_address_of_either_family_or_a_unix_socket() {
    let peer = |upstream: &str| {
        let line = line(&format!(
            "{HEAD}upstream timed out (110: Connection timed out), client: unix:, server: s, \
             request: \"GET / HTTP/1.1\", upstream: \"{upstream}\", host: \"x\""
        ));
        assert_eq!(line.client, Some(Client::Unix));
        line.upstream.unwrap()
    };
    assert_eq!(peer("https://[2001:db8::2]:3000/a://b").peer.tcp(), Some("[2001:db8::2]:3000".parse().unwrap()));
    assert_eq!(peer("https://[2001:db8::2]:3000/a://b").uri, "/a://b");
    assert_eq!(peer("fastcgi://127.0.0.1:9000").peer.tcp(), Some(([127, 0, 0, 1], 9000).into()));
    let unix = peer("http://unix:/run/app.sock:/ok");
    assert_eq!((unix.peer.tcp(), &unix.peer), (None, &Peer::Unix("/run/app.sock".into())));
    assert_eq!(unix.uri, "/ok");
}

#[test]
fn a_line_of_the_stream_module_is_read() {
    let line = line(
        "2026/11/22 13:45:03 [error] 12#12: *3 recv() failed (104: Connection reset by peer) while proxying and reading \
         from upstream, client: 10.0.0.9, server: 0.0.0.0:5432, upstream: \"10.99.2.1:5432\", bytes from/to client:78/0, \
         bytes from/to upstream:0/78",
    );
    assert_eq!(line.action, Some(Action::ProxyingFromUpstream));
    assert_eq!(line.server.as_deref(), Some("0.0.0.0:5432"));
    assert_eq!(line.upstream.unwrap().peer.tcp(), Some(([10, 99, 2, 1], 5432).into()));
    let udp = self::line(
        "2026/11/22 13:45:03 [info] 12#12: *3 udp timed out, packets from/to client:1/0 while proxying connection, \
         udp client: 10.0.0.9, server: 0.0.0.0:53, upstream: \"10.0.0.2:53\", bytes from/to client:1/0",
    );
    assert_eq!(udp.client, Some(Client::Ip([10, 0, 0, 9].into())));
    assert_eq!(udp.upstream.unwrap().peer.tcp(), Some(([10, 0, 0, 2], 53).into()));
}

#[test]
fn a_subrequest_is_read() {
    let line = line(&format!(
        "{HEAD}connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.9, server: s, \
         request: \"GET /a HTTP/2.0\", subrequest: \"/_auth\", upstream: \"http://10.0.0.1:80/_auth\", host: \"x\""
    ));
    assert_eq!(line.subrequest.as_deref(), Some("/_auth"));
    assert_eq!(line.upstream.unwrap().uri, "/_auth");
}

#[test]
fn the_end_of_a_process_is_an_event() {
    let ended = |text: &str| line(&format!("2026/11/22 13:45:03 [alert] 1#1: {text}")).complaint.process;
    let killed = ended("worker process 4711 exited on signal 9").unwrap();
    assert_eq!((killed.pid, killed.worker, killed.exit), (4711, true, Exit::Signal(9)));
    assert_eq!(ended("worker process 4711 exited on signal 11 (core dumped)").unwrap().exit, Exit::Signal(11));
    assert_eq!(ended("worker process 4711 exited with code 2").unwrap().exit, Exit::Status(2));
    assert_eq!(
        ended("worker process 5 exited with fatal code 2 and cannot be respawned").unwrap().exit,
        Exit::Status(2)
    );
    assert!(!ended("cache manager process 12 exited with code 0").unwrap().worker);
    assert_eq!(ended("worker process 99999999999 exited on signal 9"), None);
}

#[test]
fn a_line_without_a_connection_is_whole() {
    let line = line("2026/11/22 13:45:03 [notice] 1#1: signal 17 (SIGCHLD) received from 4711");
    assert_eq!((line.connection, line.client.clone()), (None, None));
    assert!(line.is_whole());
}

#[test]
fn what_is_no_line_of_nginx_is_none() {
    for text in ["", "\n", "nginx: [emerg] bind() failed", "2026/11/22", "2026/13/22 13:45:03 [error] 1#1: x"] {
        assert_eq!(Line::parse(text.as_bytes()), None, "{text}");
    }
    for text in [
        "2026/11/22 13:45:03 [fatal] 1#1: x",
        "2026/11/22 13:45:03 [error] 99999999999#1: x",
        "2026/11/22 13:45:03 [error] 1: x",
        "2026-11-22 13:45:03 [error] 1#1: x",
        "+026/11/22 13:45:03 [error] 1#1: x",
    ] {
        assert_eq!(Line::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_line_at_nginxs_limit_is_read_as_far_as_it_goes() {
    let long = "a".repeat(3000);
    let whole = format!(
        "{HEAD}recv() failed (104: Connection reset by peer) while reading response header from upstream, \
         client: 10.0.0.9, server: s, request: \"GET /{long} HTTP/1.1\", upstream: \"http://10.0.0.1:80/\""
    );
    let line = line(&whole[..MAX_LINE - 1]);
    assert!(line.truncated && line.is_whole());
    assert!(line.request.unwrap().starts_with("GET /aaa"));
    assert_eq!((line.upstream, line.host), (None, None));
}

#[test]
fn every_beginning_of_a_line_is_read_or_refused() {
    let whole = format!("{HEAD}recv() failed (104: Connection reset by peer) while reading upstream{TAIL}");
    for end in 0..whole.len() {
        if let Some(line) = Line::parse(&whole.as_bytes()[..end]) {
            assert!(!line.contested, "{end}");
        }
    }
}
