//! nginx closed with something unacknowledged: a farewell, of which it writes nothing, or a request.

use super::*;

/// nginx closes right after it sent something, within TLS.
fn closes() -> Attributed {
    let farewell = Snapshot {
        unacked: 31,
        since_last_send: Some(Duration::ZERO),
        since_last_receive: Some(Duration::from_millis(4)),
        ..requested(at(2000), SECOND)
    };
    of_nginx(upstream(2001, Event::ClosedUnacked, TcpState::Established, farewell))
}

fn times_out(desk: &mut LogDesk) {
    let timed_out = "upstream timed out (110: Connection timed out) while reading response header from upstream";
    desk.line(LOG, line(timed_out, "/slow"), Written { earliest: at(2001), latest: at(2001) });
}

#[test]
fn what_nginx_logs_of_such_a_close_is_said_and_nothing_else() {
    let told = |logs: fn(&mut LogDesk)| {
        let mut desk = desk();
        desk.expect(&closes());
        assert!(desk.complete(case(&closes())).is_none());
        logs(&mut desk);
        desk.flush().iter().map(request).map(|request| request.map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(told(times_out), [Some("GET /slow HTTP/1.1".to_owned())]);
    assert_eq!(told(|_| ()), []);
}

#[test]
fn the_reset_that_answers_such_a_close_says_it_no_second_time() {
    let mut correlator = Correlator::new(SETTLE);
    correlator.handle(closes());
    let [closed] = <[Case; 1]>::try_from(correlator.poll(at(2301))).expect("one case");
    correlator.handle(of_nginx(reset(2302, TcpState::FinWait1, requested(at(2000), SECOND))));
    let [answered] = <[Case; 1]>::try_from(correlator.flush()).expect("its answer");
    for logged in [true, false] {
        let mut desk = desk();
        desk.expect(&closes());
        assert!(desk.complete(closed.clone()).is_none());
        if logged {
            times_out(&mut desk);
        }
        assert_eq!(desk.poll(at(3000)).len(), usize::from(logged));
        assert_eq!(desk.complete(answered.clone()).is_some(), !logged);
    }
}
