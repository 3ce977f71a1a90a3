use super::{Answer, Ending, Expectation, JoinCounts, Joined, LineJoiner, LogId, Ticket, Windows, Written};
use crate::{
    nginx::error_log::line::{Action, Kind, Line},
    record::KernelTime,
};

mod http2;
mod late;
mod plain;
mod storm;
mod times;

const LOG: LogId = LogId { instance: 1, file: 0 };
const RESET: &str = "recv() failed (104: Connection reset by peer) while reading response header from upstream";
const CLOSED: &str = "upstream prematurely closed connection while reading response header from upstream";
const REFUSED: &str = "connect() failed (111: Connection refused) while connecting to upstream";

const fn ms(ms: u64) -> KernelTime {
    KernelTime(ms * 1_000_000)
}

fn end(ending: Ending, at: u64) -> Expectation {
    let server = ([10, 99, 2, 1], 3000).into();
    Expectation { instance: 1, pid: 3632, server, ending, since: ms(at), at: ms(at) }
}

fn line(message: &str, request: &str) -> Line {
    line_of(3632, "10.99.2.1:3000", message, request)
}

fn line_of(pid: u32, server: &str, message: &str, request: &str) -> Line {
    let text = format!(
        "2026/11/22 13:45:03 [error] {pid}#{pid}: *7 {message}, client: 127.0.0.1, server: , \
         request: \"GET {request} HTTP/1.1\", upstream: \"http://{server}{request}\", host: \"x\""
    );
    Line::parse(text.as_bytes()).unwrap()
}

/// Seen when it was written, as by inotify.
fn seen(at: u64) -> Written {
    Written { earliest: ms(at), latest: ms(at) }
}

fn joiner() -> LineJoiner {
    LineJoiner::new(Windows::default())
}

fn answers(joiner: &mut LineJoiner, now: u64) -> Vec<(Ticket, Answer)> {
    let mut answers = joiner.poll(ms(now));
    answers.sort_by_key(|(ticket, _)| *ticket);
    answers
}

fn joined(answer: &Answer) -> &Joined {
    match answer {
        Answer::Joined(joined) => joined,
        Answer::Ambiguous | Answer::NoLine => panic!("{answer:?}"),
    }
}

fn request(answer: &Answer) -> Option<&str> {
    joined(answer).request.as_deref()
}

#[test]
fn the_order_of_line_and_end_does_not_matter() {
    for line_first in [false, true] {
        let mut joiner = joiner();
        if line_first {
            joiner.line(LOG, line(RESET, "/a"), seen(1001));
        }
        let ticket = joiner.expect(end(Ending::Reset, 1000));
        if !line_first {
            joiner.line(LOG, line(RESET, "/a"), seen(1001));
        }
        assert_eq!(joiner.next_deadline(), Some(ms(1300)));
        assert_eq!(joiner.poll(ms(1299)), []);
        let answers = joiner.poll(ms(1300));
        assert_eq!((answers.len(), answers[0].0), (1, ticket));
        assert_eq!(request(&answers[0].1), Some("GET /a HTTP/1.1"));
        assert_eq!(joined(&answers[0].1).action, Some(Action::ReadingResponseHeader));
        assert_eq!(*joiner.counts(), JoinCounts { own: 1, ..JoinCounts::default() });
        assert_eq!((joiner.next_deadline(), joiner.lines, joiner.expected), (None, 0, 0));
    }
}

#[test]
fn an_end_is_answered_without_a_log() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    assert!(matches!(joiner.poll(ms(1400))[..], [(_, Answer::NoLine)]));
    assert_eq!(joiner.poll(ms(9000)), []);
    assert_eq!((joiner.expected, joiner.counts().without_line), (0, 1));
}

#[test]
fn a_line_of_another_worker_server_instance_or_kind_is_not_joined() {
    let others = [
        (LOG, line_of(3633, "10.99.2.1:3000", RESET, "/a")),
        (LOG, line_of(3632, "10.99.2.1:3001", RESET, "/a")),
        (LOG, line_of(3632, "10.99.2.2:3000", RESET, "/a")),
        (LogId { instance: 2, file: 0 }, line(RESET, "/a")),
        (LOG, line(CLOSED, "/a")),
        (LOG, line(REFUSED, "/a")),
        (LOG, line_of(3632, "unix:/run/app.sock:", RESET, "/a")),
    ];
    for (log, other) in others {
        let mut joiner = joiner();
        joiner.expect(end(Ending::Reset, 1000));
        joiner.line(log, other.clone(), seen(1001));
        assert!(matches!(joiner.poll(ms(1400))[..], [(_, Answer::NoLine)]), "{other:?}");
    }
}

#[test]
fn ends_one_after_another_each_get_their_own_line() {
    let mut joiner = joiner();
    for n in 0..50 {
        joiner.expect(end(Ending::Reset, 1000 + 10 * n));
        joiner.line(LOG, line(RESET, &format!("/{n}")), seen(1001 + 10 * n));
    }
    let answers = answers(&mut joiner, 2000);
    assert_eq!(answers.len(), 50);
    for (n, (_, answer)) in answers.iter().enumerate() {
        assert_eq!(request(answer), Some(format!("GET /{n} HTTP/1.1").as_str()));
    }
}

#[test]
fn two_ends_before_their_lines_share_what_the_lines_have_in_common() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    joiner.expect(end(Ending::Reset, 1000));
    joiner.line(LOG, line(RESET, "/a"), seen(1001));
    joiner.line(LOG, line(RESET, "/b"), seen(1001));
    for (_, answer) in answers(&mut joiner, 1400) {
        let joined = joined(&answer);
        assert_eq!((joined.candidates, joined.kind, joined.errno), (2, Some(Kind::Failed), Some(104)));
        assert_eq!((joined.method.as_deref(), joined.host.as_deref()), (Some("GET"), Some("x")));
        assert_eq!(joined.request, None);
    }
    assert_eq!(joiner.counts().shared, 2);
}

#[test]
fn the_same_request_twice_is_named_twice() {
    let mut joiner = joiner();
    for _ in 0..2 {
        joiner.expect(end(Ending::Reset, 1000));
        joiner.line(LOG, line(RESET, "/a"), seen(1001));
    }
    let answers = answers(&mut joiner, 1400);
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|(_, answer)| request(answer) == Some("GET /a HTTP/1.1")));
}

#[test]
fn one_line_for_two_ends_is_left_out() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    joiner.expect(end(Ending::Reset, 1000));
    joiner.line(LOG, line(RESET, "/a"), seen(1001));
    assert!(answers(&mut joiner, 1400).iter().all(|(_, answer)| *answer == Answer::Ambiguous));
}

#[test]
fn kinds_tell_ends_apart() {
    let mut joiner = joiner();
    let endings = [(Ending::Reset, RESET), (Ending::Closed, CLOSED), (Ending::Refused, REFUSED)];
    for (ending, _) in endings {
        joiner.expect(end(ending, 1000));
    }
    for (n, (_, message)) in endings.iter().enumerate().rev() {
        joiner.line(LOG, line(message, &format!("/{n}")), seen(1001));
    }
    for (n, (_, answer)) in answers(&mut joiner, 1400).iter().enumerate() {
        assert_eq!(request(answer), Some(format!("GET /{n} HTTP/1.1").as_str()));
    }
}

#[test]
fn a_held_up_workers_late_line_is_not_given_to_the_next_end() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    assert!(matches!(joiner.poll(ms(1300))[..], [(_, Answer::NoLine)]));
    joiner.expect(end(Ending::Reset, 1350));
    joiner.line(LOG, line(RESET, "/first"), seen(1400));
    assert!(matches!(joiner.poll(ms(1660))[..], [(_, Answer::Ambiguous)]));
}

#[test]
fn a_line_in_two_logs_of_an_instance_counts_once() {
    let mut joiner = joiner();
    let second = LogId { instance: 1, file: 1 };
    joiner.expect(end(Ending::Reset, 1000));
    joiner.expect(end(Ending::Reset, 1000));
    for log in [LOG, second, second, LOG] {
        joiner.line(log, line(RESET, "/a"), seen(1001));
    }
    let answers = answers(&mut joiner, 1400);
    assert!(answers.iter().all(|(_, answer)| joined(answer).candidates == 2), "two lines, two ends");
    assert_eq!(joiner.counts().copies, 2);
}

#[test]
fn a_request_that_fails_again_is_told() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Closed, 1000));
    joiner.expect(end(Ending::Refused, 1001));
    joiner.line(LOG, line(CLOSED, "/a"), seen(1001));
    joiner.line(LOG, line(REFUSED, "/a"), seen(1002));
    let answers = answers(&mut joiner, 1400);
    let told =
        |n: usize| (joined(&answers[n].1).later.map(|later| later.failures), joined(&answers[n].1).failed_before);
    assert_eq!((told(0), told(1)), ((Some(1), 0), (None, 1)));
}

#[test]
fn nothing_is_joined_around_a_loss() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    joiner.line(LOG, line(RESET, "/a"), seen(1001));
    joiner.disturb(ms(1100));
    assert!(matches!(joiner.poll(ms(1400))[..], [(_, Answer::Ambiguous)]));
    joiner.expect(end(Ending::Reset, 4000));
    joiner.line(LOG, line(RESET, "/b"), seen(4001));
    assert_eq!(request(&joiner.poll(ms(4300))[0].1), Some("GET /b HTTP/1.1"));
}

#[test]
fn lines_without_an_end_are_forgotten_and_counted_by_kind() {
    let mut joiner = joiner();
    for n in 0..10_000 {
        joiner.line(LOG, line(RESET, &format!("/{n}")), seen(1000));
    }
    assert_eq!(joiner.lines, super::MAX_LINES);
    joiner.poll(ms(9000));
    assert_eq!(joiner.lines, 0);
    assert_eq!(joiner.counts().lines_left.get(&Kind::Failed), Some(&8192));
    assert_eq!(joiner.counts().overflow, 10_000 - 8192);
}

#[test]
fn more_ends_than_there_is_room_for_are_still_answered() {
    let mut joiner = joiner();
    for _ in 0..20_000 {
        joiner.expect(end(Ending::Reset, 1000));
    }
    assert_eq!(joiner.poll(ms(2000)).len(), 20_000);
}

#[test]
fn a_contested_line_is_left_out_and_its_worker_with_it() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    joiner.expect(Expectation { pid: 3633, ..end(Ending::Reset, 1000) });
    joiner.line(LOG, line(RESET, "/a HTTP/1.1\", upstream: \"http://6.6.6.6:80/"), seen(1001));
    joiner.line(LOG, line_of(3633, "10.99.2.1:3000", RESET, "/b"), seen(1001));
    let answers = answers(&mut joiner, 1400);
    assert_eq!(answers[0].1, Answer::Ambiguous);
    assert_eq!(request(&answers[1].1), Some("GET /b HTTP/1.1"));
    assert_eq!(joiner.counts().contested, 1);
}

#[test]
fn a_timeout_is_logged_before_nginx_closes() {
    let mut joiner = joiner();
    let timed_out = "upstream timed out (110: Connection timed out) while reading response header from upstream";
    joiner.line(LOG, line(timed_out, "/a"), seen(999));
    joiner.expect(end(Ending::Silent, 1000));
    assert_eq!(request(&joiner.poll(ms(1400))[0].1), Some("GET /a HTTP/1.1"));
}

#[test]
fn a_fin_and_the_reset_after_it_are_one_end() {
    let mut joiner = joiner();
    joiner.expect(Expectation { at: ms(2500), ..end(Ending::Closed, 1000) });
    joiner.line(LOG, line(CLOSED, "/a"), seen(2501));
    assert_eq!(joiner.next_deadline(), Some(ms(2800)));
    assert_eq!(request(&joiner.poll(ms(2800))[0].1), Some("GET /a HTTP/1.1"));
}
