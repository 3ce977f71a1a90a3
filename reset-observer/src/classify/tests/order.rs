//! The order in which evidence arrives does not change a verdict: every order of every combination of what one end of a
//! connection records with what may corroborate it.

use std::sync::Arc;

use super::*;
use crate::{
    correlate::LogDesk,
    nginx::{
        error_log::{
            join::{LogId, Written},
            line::Line,
        },
        processes::InstanceId,
    },
    sample::{configured, server},
};

/// Evidence: a record, or a line of the log.
#[derive(Clone, Debug)]
enum Piece {
    Event(Box<Attributed>),
    Line(&'static str),
}

const PREMATURE: &str = "upstream prematurely closed connection while reading response header from upstream";
const RESET: &str = "recv() failed (104: Connection reset by peer) while reading response header from upstream";
const TIMED_OUT: &str = "upstream timed out (110: Connection timed out) while reading response header from upstream";

const GOAWAY: &str = "upstream sent goaway with error 0 while reading response header from upstream";

/// Six pieces have 720 orders.
const MOST_PIECES: usize = 5;

fn line(complaint: &str) -> Line {
    let server = server();
    let text = format!(
        "2026/11/22 13:45:03 [error] 3632#3632: *7 {complaint}, client: 127.0.0.1, server: , request: \"GET / HTTP/1.1\", \
         upstream: \"http://{server}/\", host: \"x\""
    );
    Line::parse(text.as_bytes()).unwrap()
}

fn of_nginx(mut event: Attributed) -> Attributed {
    if event.placing.leg == Leg::Upstream {
        event.placing_mut().instance = Some(InstanceId(1));
        event.placing_mut().settings = Some(Arc::new(configured()));
    }
    event
}

fn decision(pieces: &[&Piece]) -> Option<Decision> {
    let settle = Duration::from_millis(300);
    let (mut correlator, mut desk) = (Correlator::new(settle), LogDesk::new(settle));
    desk.follow([InstanceId(1)].into());
    for piece in pieces {
        match piece {
            Piece::Event(event) => {
                desk.expect(event);
                correlator.handle((**event).clone());
            }
            Piece::Line(complaint) => {
                let written = Written { earliest: at(1999), latest: at(2003) };
                desk.line(LogId { instance: 1, file: 0 }, line(complaint), written);
            }
        }
    }
    let mut cases: Vec<_> = correlator.flush().into_iter().filter_map(|case| desk.complete(case)).collect();
    cases.extend(desk.flush());
    cases.iter().find(|case| case.connection.ends().local == proxy()).map(classify)
}

fn event(event: Attributed) -> Piece {
    Piece::Event(Box::new(of_nginx(event)))
}

/// What the proxy's end may record.
fn this_end() -> Vec<Vec<Piece>> {
    let (taken, crossing) = (acknowledged(at(1990)), requested(at(1990), SECOND));
    let cut_response = idle(Duration::from_millis(4));
    let by_us = |data_after_close: bool| Event::ResetSent { active: !data_after_close, data_after_close };
    let established = TcpState::Established;
    let in_vain = Snapshot { total_retransmits: 8, ..requested(at(1000), 10 * SECOND) };
    let late = reset(2002, TcpState::LastAck, crossing);
    let ends = vec![
        vec![fin(2000, idle(SECOND))],
        vec![fin(2000, taken)],
        vec![fin(2000, cut_response)],
        vec![fin(2000, crossing)],
        vec![fin(2000, crossing), late],
        vec![fin(2000, idle(SECOND)), reset(2002, TcpState::CloseWait, requested(at(2001), SECOND))],
        vec![reset(2000, established, taken)],
        vec![reset(2000, established, crossing)],
        vec![reset(2000, established, cut_response)],
        vec![upstream(2000, Event::ClosedUnacked, established, taken)],
        vec![upstream(2000, Event::ClosedUnacked, established, in_vain)],
        vec![upstream(2000, by_us(false), established, taken)],
        vec![
            upstream(2000, Event::ClosedUnacked, established, taken),
            upstream(2002, by_us(true), TcpState::FinWait2, taken),
        ],
    ];
    ends.into_iter().map(|end| end.into_iter().map(event).collect()).collect()
}

/// What may corroborate it: of each group one, or none.
fn corroboration() -> [Vec<Vec<Piece>>; 5] {
    let mut client = from_port(443, fin(1990, Snapshot { last_payload: Some(LastPayload::Received), ..idle(SECOND) }));
    client.placing_mut().leg = Leg::Client;
    let others = [1, 2].map(|port| event(from_port(port, fin(2001, acknowledged(at(1990))))));
    let peers = [exit_close(1999, Exit::Signal(9)), exit_close(2001, Exit::Status(0)), peer_reset(1999)];
    let one = |piece: Piece| vec![Vec::new(), vec![piece]];
    [
        std::iter::once(Vec::new()).chain(peers.map(|peer| vec![event(peer)])).collect(),
        one(event(refused(2001))),
        vec![Vec::new(), others.to_vec()],
        one(event(client)),
        std::iter::once(Vec::new())
            .chain([PREMATURE, RESET, TIMED_OUT, GOAWAY].map(|said| vec![Piece::Line(said)]))
            .collect(),
    ]
}

fn combinations() -> Vec<Vec<Piece>> {
    let mut all = this_end();
    for group in corroboration() {
        let with = |base: &Vec<Piece>| group.iter().map(|more| [base.as_slice(), more].concat()).collect::<Vec<_>>();
        all = all.iter().flat_map(with).collect();
    }
    all.retain(|pieces| pieces.len() <= MOST_PIECES);
    all
}

fn orders<'a>(pieces: &[&'a Piece]) -> Vec<Vec<&'a Piece>> {
    if pieces.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..pieces.len() {
        let mut rest = pieces.to_vec();
        let piece = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, piece);
            all.push(order);
        }
    }
    all
}

#[test]
fn the_order_in_which_evidence_arrives_does_not_change_the_verdict() {
    let combinations = combinations();
    assert!(combinations.len() > 500, "{}", combinations.len());
    for pieces in &combinations {
        let usual: Vec<&Piece> = pieces.iter().collect();
        let expected = decision(&usual);
        assert!(expected.is_some(), "{pieces:#?}");
        for order in orders(&usual) {
            assert_eq!(decision(&order), expected, "{order:#?}");
        }
    }
}
