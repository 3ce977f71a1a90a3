//! An nginx that was not known before its first failure.

use super::*;

#[test]
fn the_log_of_an_nginx_that_was_not_known_is_waited_for_once() {
    let mut desk = LogDesk::new(SETTLE);
    let first = aborted(40_000, 2000);
    desk.expect(&first);
    assert!(desk.complete(case(&first)).is_none());
    assert!(desk.poll(at(2400)).is_empty(), "its configuration is being read");
    desk.follow(HashSet::from([NGINX]));
    desk.line(LOG, line(RESET, "/first"), Written { earliest: at(1000), latest: at(2500) });
    let cases = desk.poll(at(3020));
    assert_eq!(cases.iter().map(request).collect::<Vec<_>>(), [Some("GET /first HTTP/1.1")]);

    let mut unread = LogDesk::new(SETTLE);
    let ends = [aborted(40_000, 2000), aborted(40_001, 4000)];
    for end in &ends {
        unread.expect(end);
        assert!(unread.complete(case(end)).is_none());
    }
    assert_eq!(unread.poll(at(3020)).len(), 1);
    assert_eq!(unread.poll(at(4320)).len(), 1, "it has no log that can be read, and no later verdict waits for one");
}
