use std::time::Duration;

use reset_observer_ebpf::record::RawSnapshot;
use zerocopy::IntoBytes as _;

use super::*;

/// The FIN of a keepalive race as measured: a request of 49 bytes outstanding, 1 s after the last response.
fn fin_of_a_race() -> RawRecord {
    let mut raw = RawRecord {
        version: RECORD_VERSION,
        hook: Hook::FinReceived as u8,
        socket_kind: SocketKind::Full as u8,
        state_before: 1,
        state_after: 8,
        family: 2,
        flags: flag::SNAPSHOT | flag::OWNER,
        reason: u32::MAX,
        time_ns: 900_000_000_000,
        jiffies: (1 << 32) + 600 * 250,
        socket: 0xffff_8880_0000_1000,
        netns: 4_026_531_992,
        local_port: 50_452,
        remote_port: 3000,
        owner_tgid: 3632,
        opened_ns: 896_000_000_000,
        ..RawRecord::default()
    };
    raw.local_addr[..4].copy_from_slice(&[10, 99, 1, 1]);
    raw.remote_addr[..4].copy_from_slice(&[10, 99, 2, 1]);
    raw.owner_comm[..5].copy_from_slice(b"nginx");
    raw.snapshot = RawSnapshot {
        first_transmit_us: 899_990_000,
        delivered_us: 899_990_000,
        clock_us: 900_000_000,
        bytes_sent: 98,
        bytes_acked: 50,
        bytes_received: 127,
        last_send: 150_000 - 3,
        last_receive: 150_000 - 253,
        snd_una: u32::MAX - 20,
        write_seq: 28,
        rtt_min_us: 20_490,
        rcv_nxt: 1128,
        copied_seq: 1127,
        ..RawSnapshot::default()
    };
    raw
}

fn decode(raw: &RawRecord) -> Result<Record> {
    match Decoder::default().decode(raw.as_bytes())? {
        Message::Connection(record) => Ok(Arc::unwrap_or_clone(record)),
        Message::Process(event) => bail!("a process: {event:?}"),
    }
}

#[test]
fn a_race_reads_as_the_socket_knew_it() {
    let record = decode(&fin_of_a_race()).unwrap();
    assert_eq!(record.local, "10.99.1.1:50452".parse().unwrap());
    assert_eq!(record.remote, "10.99.2.1:3000".parse().unwrap());
    assert_eq!(record.event, Event::FinReceived);
    assert_eq!(record.state_before, Some(TcpState::Established));
    assert_eq!(record.owner.unwrap().process, crate::record::Process { tgid: 3632, comm: "nginx".into() });
    let snapshot = record.snapshot.unwrap();
    assert_eq!(snapshot.unacked, 49, "sequence numbers wrap");
    assert!(snapshot.flight_never_acked);
    assert_eq!(snapshot.idle_before_request, Some(Duration::from_secs(1)));
    assert_eq!(snapshot.idle_now, Some(Duration::from_millis(12)));
    assert_eq!(snapshot.since_last_send, Some(Duration::from_millis(12)));
    assert_eq!(snapshot.since_last_receive, Some(Duration::from_millis(1012)));
    assert_eq!(snapshot.last_payload, Some(LastPayload::Sent));
    assert_eq!((snapshot.bytes_acked, snapshot.bytes_received), (49, 126), "SYN and FIN are no payload");
    assert_eq!(snapshot.unread, 0);
}

#[test]
fn the_handshake_is_no_payload_of_either_direction() {
    let mut raw = fin_of_a_race();
    raw.snapshot.bytes_sent = 0;
    raw.snapshot.bytes_received = 1;
    let snapshot = decode(&raw).unwrap().snapshot.unwrap();
    assert_eq!((snapshot.since_last_send, snapshot.since_last_receive), (None, None), "a FIN alone was received");
}

#[test]
fn our_own_fin_is_not_unacknowledged_payload() {
    let mut raw = fin_of_a_race();
    raw.hook = Hook::ReceiveReset as u8;
    raw.state_before = 9;
    raw.snapshot.write_seq += 1;
    assert_eq!(decode(&raw).unwrap().snapshot.unwrap().unacked, 49);
}

#[test]
fn the_idle_gap_survives_retransmissions_while_nothing_was_acknowledged() {
    let gap = |raw: &RawRecord| decode(raw).unwrap().snapshot.unwrap().idle_before_request;
    let mut raw = fin_of_a_race();
    raw.snapshot.retransmits = 1;
    raw.snapshot.total_retransmits = 1;
    // Sent again just now; the payload was received 253 jiffies ago, the request first sent 10 ms ago.
    raw.snapshot.last_send = 150_000;
    assert_eq!(gap(&raw), Some(Duration::from_millis(253 * 4 - 10)));
    raw.snapshot.delivered_us += 1;
    assert_eq!(gap(&raw), None, "once something was acknowledged, that time is another segment's");
}

#[test]
fn the_packet_is_read_where_it_was_looked_at() {
    let mut raw = fin_of_a_race();
    assert_eq!(decode(&raw).unwrap().packet, None);
    raw.flags |= flag::PACKET;
    raw.packet = RawPacket { tcp_flags: 0x14, ttl: 63, ack: 7, window: 78, timestamp: 1, ..RawPacket::default() };
    let packet = decode(&raw).unwrap().packet.unwrap();
    assert_eq!((packet.ack, packet.ttl, packet.syn_ack_ttl, packet.timestamp), (Some(7), 63, None, true));
    raw.packet.tcp_flags = 0x04;
    assert_eq!(decode(&raw).unwrap().packet.unwrap().ack, None, "a bare reset acknowledges nothing");
}

#[test]
fn the_end_of_a_process_is_no_connection() {
    let mut raw = fin_of_a_race();
    raw.hook = Hook::ProcessExit as u8;
    raw.family = 0;
    raw.current_tgid = 77;
    raw.current_comm[..5].copy_from_slice(b"nginx");
    raw.exit_code = 9;
    let Message::Process(event) = Decoder::default().decode(raw.as_bytes()).unwrap() else { panic!("a process") };
    assert_eq!((event.process.tgid, event.fate), (77, Fate::Ended(Exit::Signal(9))));
}

#[test]
fn an_ipv4_address_in_an_ipv6_socket_is_an_ipv4_address() {
    let mut raw = fin_of_a_race();
    raw.family = 10;
    raw.local_addr = std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets();
    raw.remote_addr = "fd99:2::1".parse::<Ipv6Addr>().unwrap().octets();
    let record = decode(&raw).unwrap();
    assert_eq!(record.local, "10.0.0.1:50452".parse().unwrap());
    assert_eq!(record.remote, "[fd99:2::1]:3000".parse().unwrap());
}

#[test]
fn what_is_not_understood_is_refused_with_the_reason() {
    let refused = |change: fn(&mut RawRecord)| {
        let mut raw = fin_of_a_race();
        change(&mut raw);
        decode(&raw).unwrap_err().to_string()
    };
    assert!(refused(|raw| raw.version = 7).contains("version 7"));
    assert!(refused(|raw| raw.hook = 99).contains("hook 99"));
    assert!(refused(|raw| raw.socket_kind = 99).contains("socket 99"));
    assert!(refused(|raw| raw.family = 3).contains("family 3"));
    assert!(refused(|raw| raw.state_before = 99).contains("state 99"));
    assert!(refused(|raw| raw.flags = 1 << 30).contains("flags"));
    assert!(Decoder::default().decode(&[0; 17]).unwrap_err().to_string().contains("17 bytes"));
}

#[test]
fn any_bytes_of_the_right_length_are_read_or_refused() {
    let mut bytes = fin_of_a_race().as_bytes().to_vec();
    for at in 0..bytes.len() {
        let kept = bytes[at];
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            bytes[at] = value;
            let _ = Decoder::default().decode(&bytes);
        }
        bytes[at] = kept;
    }
}

#[test]
fn a_wait_code_is_read_as_wait_does() {
    assert_eq!(Exit::from_wait_code(9), Exit::Signal(9));
    assert_eq!(Exit::from_wait_code(0x8b), Exit::Signal(11), "the core-dump bit is no part of the signal");
    assert_eq!(Exit::from_wait_code(3 << 8), Exit::Status(3));
    assert!(Exit::from_wait_code(0).in_good_order() && Exit::from_wait_code(15).in_good_order());
    assert!(!Exit::from_wait_code(6).in_good_order() && !Exit::from_wait_code(1 << 8).in_good_order());
}

/// Request and payload in one jiffy: 150 000 jiffies after the wrap is second 600, and the jiffy is 4 ms long.
fn tie(clock_ms_after_payload: u64) -> RawRecord {
    let mut raw = fin_of_a_race();
    raw.jiffies = (1 << 32) + 150_000 + clock_ms_after_payload / 4;
    raw.time_ns += clock_ms_after_payload * 1_000_000;
    raw.snapshot.last_send = 150_000;
    raw.snapshot.last_receive = 150_000;
    raw.snapshot.write_seq = raw.snapshot.snd_una;
    raw.snapshot.rtt_min_us = 60;
    raw.snapshot.first_transmit_us = 900_000_500;
    raw.snapshot.delivered_us = 900_000_700;
    raw
}

fn last_payload(raw: &RawRecord) -> Option<LastPayload> {
    decode(raw).unwrap().snapshot.unwrap().last_payload
}

#[test]
fn a_request_and_a_payload_in_one_jiffy_are_a_tie() {
    assert_eq!(last_payload(&tie(100)), Some(LastPayload::Tie));
}

#[test]
fn a_payload_within_less_than_a_round_trip_is_no_answer() {
    let mut raw = tie(100);
    raw.snapshot.rtt_min_us = 10_351;
    assert_eq!(last_payload(&raw), Some(LastPayload::Sent));
}

#[test]
fn a_payload_that_came_before_the_request_was_acknowledged_is_no_answer() {
    let mut raw = tie(100);
    raw.snapshot.delivered_us += 50_000;
    assert_eq!(last_payload(&raw), Some(LastPayload::Sent));
}

/// What the fuzzer kept, see `fuzz/targets/record.rs`: records in a row, of wrong versions and lengths among them.
#[test]
fn the_fuzzers_corpus_is_decoded_or_refused() {
    let (mut decoded, mut refused) = (0, 0);
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/record");
    for entry in std::fs::read_dir(corpus).unwrap() {
        let mut decoder = Decoder::default();
        for bytes in std::fs::read(entry.unwrap().path()).unwrap().chunks(size_of::<RawRecord>()) {
            let outcome = decoder.decode(bytes);
            assert!(outcome.is_err() || bytes.len() == size_of::<RawRecord>());
            *(if outcome.is_ok() { &mut decoded } else { &mut refused }) += 1;
        }
    }
    assert!(decoded > 20 && refused > 20, "{decoded} decoded, {refused} refused");
}
