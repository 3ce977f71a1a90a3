use std::net::IpAddr;

use super::*;

const LINE: &[u8] =
    b"2026/11/22 13:45:03 [error] 3632#3632: *7 recv() failed (104: Connection reset by peer) while reading \
    response header from upstream, client: 203.0.113.9, server: shop.example, request: \"POST /cart/9?token=secret \
    HTTP/1.1\", upstream: \"http://10.99.2.1:3000/cart/9?token=secret\", host: \"shop.example\"";

fn raw(local: [u8; 4], comm: &str) -> RawRecord {
    let mut raw = RawRecord { family: 2, socket: 0xffff_8880_1234_5678, local_port: 3000, ..RawRecord::default() };
    raw.local_addr[..4].copy_from_slice(&local);
    raw.owner_comm[..comm.len()].copy_from_slice(comm.as_bytes());
    raw
}

#[test]
fn records_keep_their_ports_and_programs_everybody_knows() {
    let mut redactor = Redactor::default();
    let first = redactor.record(raw([10, 1, 2, 3], "nginx").as_bytes()).unwrap();
    assert_eq!((first.local_addr[..4].to_vec(), first.local_port), (vec![198, 18, 0, 1], 3000));
    assert_eq!((&first.owner_comm[..6], first.socket), (&b"nginx\0"[..], 1));
    let second = redactor.record(raw([10, 1, 2, 4], "acme-billing").as_bytes()).unwrap();
    assert_eq!((second.local_addr[3], &second.owner_comm[..10]), (2, &b"process-1\0"[..]));
    let again = redactor.record(raw([10, 1, 2, 3], "nginx").as_bytes()).unwrap();
    assert_eq!(again, first, "the same is replaced by the same");
}

#[test]
fn a_line_keeps_its_shape_and_nothing_that_it_says_of_anybody() {
    let mut redactor = Redactor::default();
    let mut line = Line::parse(LINE).unwrap();
    let before = line.clone();
    redactor.line(&mut line);
    assert_eq!(line.request.as_deref(), Some("POST /p1/p2?q1 HTTP/1.1"));
    assert_eq!((line.host.as_deref(), line.server.as_deref()), (Some("host-1"), Some("host-1")));
    assert_eq!(line.client, Some(Client::Ip(IpAddr::from([198, 18, 0, 1]))));
    assert_eq!((line.complaint, line.action, line.method()), (before.complaint, before.action, before.method()));
    let text = serde_json::to_string(&line).unwrap();
    for secret in ["203.0.113", "shop", "cart", "token", "secret", "10.99"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn two_requests_stay_two_and_what_is_no_request_line_is_hidden_as_a_whole() {
    let mut names = Names::default();
    assert_eq!(names.request_line("GET /a/b/a HTTP/1.1"), "GET /p1/p2/p1 HTTP/1.1");
    assert_eq!(names.request_line("GET /a?x HTTP/1.1"), "GET /p1?q1 HTTP/1.1");
    assert_eq!(names.request_line("GET /a?y HTTP/1.1"), "GET /p1?q2 HTTP/1.1");
    assert_eq!(names.request_line("\\x16\\x03\\x01"), "request-1");
    assert_eq!(names.request_line("GET http://intranet/ HTTP/1.1"), "request-2");
}

#[test]
fn addresses_keep_their_family_and_the_hosts_own_stay() {
    let mut addresses = Addresses::default();
    let mut of = |text: &str| addresses.of(text.parse().unwrap()).to_string();
    assert_eq!(of("127.0.0.1"), "127.0.0.1");
    assert_eq!(of("::1"), "::1");
    assert_eq!(of("10.0.0.7"), "198.18.0.1");
    assert_eq!(of("fe80::7"), "2001:db8::1");
    assert_eq!(of("::ffff:10.0.0.7"), "::ffff:198.18.0.1", "the same address in its other form");
}

#[test]
fn beyond_the_room_addresses_share_one_and_nothing_grows() {
    let mut addresses = Addresses::default();
    let mut last = None;
    for number in 0..200_000_u32 {
        last = Some(addresses.of(std::net::Ipv4Addr::from(0x0a00_0000 + number).into()));
    }
    assert_eq!(last, Some(IpAddr::from([198, 19, 255, 254])));
}
