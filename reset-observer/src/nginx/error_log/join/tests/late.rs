//! Lines of a log that was found when they were long written.

use super::*;

/// Of a log that was not watched before.
fn found(at: u64) -> Written {
    Written { earliest: ms(0), latest: ms(at) }
}

#[test]
fn an_end_waits_for_a_line_in_a_log_that_was_found_late() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    joiner.line(LOG, line(RESET, "/a"), found(1170));
    assert_eq!(joiner.poll(ms(1300)), [], "an end that was not told yet may be this line's");
    assert_eq!(joiner.next_deadline(), Some(ms(1320)));
    let answers = joiner.poll(ms(1320));
    assert_eq!(request(&answers[0].1), Some("GET /a HTTP/1.1"));
}

#[test]
fn an_end_waits_for_late_lines_once_and_not_for_one_that_is_younger_or_tells_of_another_end() {
    let mut joiner = joiner();
    joiner.expect(end(Ending::Reset, 1000));
    joiner.line(LOG, line(RESET, "/a"), seen(1170));
    joiner.line(LOG, line(CLOSED, "/a"), found(1170));
    assert!(matches!(joiner.poll(ms(1300))[..], [(_, Answer::NoLine)]));

    joiner.expect(end(Ending::Refused, 5000));
    joiner.line(LOG, line(REFUSED, "/a"), found(5200));
    assert_eq!(joiner.poll(ms(5300)), []);
    for n in 0..9 {
        joiner.line(LOG, line(REFUSED, "/b"), found(5300 + n));
    }
    assert_eq!(joiner.poll(ms(5360)).len(), 1);
}
