//! Answers that came sooner than the backend's could.

use super::*;

#[test]
fn an_answer_sooner_than_the_backend_ever_gave_is_a_middleboxs() {
    let sent = at(1990);
    let sooner = Snapshot { clock: sent.after(Duration::from_millis(3)), ..requested(sent, SECOND) };
    let expected = (Cause::MiddleboxIdleDrop, Confidence::High);
    assert_eq!(says([reset(1993, TcpState::Established, sooner)]), expected);
    let a_little = Snapshot { clock: sent.after(Duration::from_millis(15)), ..sooner };
    let cause = says([reset(2005, TcpState::Established, a_little)]);
    assert_eq!(cause, (Cause::MiddleboxIdleDrop, Confidence::Medium), "all its round trips may have been slow ones");
    let same_host = Snapshot { rtt_min: Some(Duration::from_micros(40)), ..sooner };
    let within = Snapshot { clock: sent.after(Duration::from_micros(20)), ..same_host };
    assert_eq!(
        says([reset(1993, TcpState::Established, within)]).1,
        Confidence::Low,
        "within one host the round trip tells nothing"
    );
}

#[test]
fn a_reset_from_the_local_backend_is_never_a_middleboxs() {
    let sent = at(1990);
    let sooner = Snapshot { clock: sent.after(Duration::from_millis(3)), ..requested(sent, SECOND) };
    let cause = says([peer_reset(1992), reset(1993, TcpState::Established, sooner)]).0;
    assert_eq!(cause, Cause::BackendAbort);
}

#[test]
fn at_the_backends_own_idle_timeout_only_a_much_sooner_answer_is_a_middleboxs() {
    let early = |ms: u64| Snapshot { clock: at(4979 + ms), ..requested(at(4979), 5 * SECOND) };
    let answered = |ms: u64| taught(5 * SECOND, reset(4979 + ms, TcpState::Established, early(ms))).cause;
    assert_eq!(
        [3, 15].map(answered),
        [Cause::MiddleboxIdleDrop, Cause::KeepaliveRace],
        "the fastest round trip was 20 ms"
    );
}
