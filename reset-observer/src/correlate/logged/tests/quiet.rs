//! Ends of idle connections, which mostly have no line.

use super::*;

#[test]
fn a_line_is_not_of_an_idle_connection_that_nginx_closed_with_the_servers_farewell_unread() {
    let cut = "upstream prematurely closed connection while reading upstream";
    let fresh = idle(Duration::from_millis(2));
    let farewell = Snapshot { unread: 18, ..fresh };
    let by_us = Event::ResetSent { active: true, data_after_close: false };
    let closed = of_nginx(from_port(1, upstream(1902, by_us, TcpState::CloseWait, farewell)));
    for is_closed in [true, false] {
        let ends = [of_nginx(from_port(1, fin(1900, fresh))), of_nginx(from_port(2, fin(2000, fresh)))];
        let mut desk = awaiting(&ends);
        if is_closed {
            desk.expect(&closed);
        }
        desk.line(LOG, line(cut, "/cut"), Written { earliest: at(1899), latest: at(2001) });
        let cases = desk.flush();
        let told: Vec<_> = cases.iter().map(request).collect();
        let expected = if is_closed { [None, Some("GET /cut HTTP/1.1")] } else { [None, None] };
        assert_eq!(told, expected);
        let idle = if is_closed { Logged::Nothing } else { Logged::Unknown };
        assert_eq!(cases[0].logged, idle, "of which of them the line is, only the close tells");
    }
}

#[test]
fn a_line_that_is_of_no_end_that_hurt_a_request_may_be_of_one_that_looked_harmless() {
    let unanswered = "upstream prematurely closed connection while reading response header from upstream";
    let quiet = of_nginx(from_port(1, fin(2000, idle(SECOND * 5))));
    let hurt = of_nginx(from_port(2, fin(2000, acknowledged(at(1990)))));
    let told = |ends: &[Attributed]| {
        let mut desk = awaiting(ends);
        desk.line(LOG, line(unanswered, "/lost"), Written { earliest: at(2001), latest: at(2001) });
        desk.flush().iter().map(|case| case.logged.clone()).collect::<Vec<_>>()
    };
    assert!(matches!(told(std::slice::from_ref(&quiet))[..], [Logged::Line(_)]));
    assert!(matches!(told(&[quiet.clone(), hurt])[..], [Logged::Nothing, Logged::Line(_)]));
    let both = [quiet.clone(), of_nginx(from_port(3, fin(2000, idle(SECOND * 5))))];
    assert_eq!(told(&both), [Logged::Unknown, Logged::Unknown], "one of them");
}

#[test]
fn a_cut_response_is_of_the_end_right_after_payload_and_only_for_want_of_one_of_a_paused_one() {
    let cut = "upstream prematurely closed connection while reading upstream";
    let paused = of_nginx(from_port(1, fin(1900, idle(SECOND / 2))));
    let at_once = of_nginx(from_port(2, fin(2000, idle(Duration::from_millis(5)))));
    let told = |ends: &[Attributed]| {
        let mut desk = awaiting(ends);
        desk.line(LOG, line(cut, "/half"), Written { earliest: at(2001), latest: at(2001) });
        desk.flush().iter().map(|case| request(case).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(told(&[paused.clone(), at_once]), [false, true]);
    assert_eq!(told(&[paused]), [true]);
}

#[test]
fn an_idle_connection_that_was_written_into_asks_again() {
    let unanswered = "upstream prematurely closed connection while reading response header from upstream";
    let late = of_nginx(reset(2100, TcpState::CloseWait, requested(at(2099), SECOND)));
    let mut desk = desk();
    desk.expect(&of_nginx(fin(2000, idle(SECOND))));
    desk.expect(&late);
    assert!(desk.complete(case(&late)).is_none());
    desk.line(LOG, line(unanswered, "/late"), Written { earliest: at(2100), latest: at(2100) });
    assert_eq!(desk.flush().iter().map(request).collect::<Vec<_>>(), [Some("GET /late HTTP/1.1")]);
    assert_eq!(desk.waiting(), 0);
}
