//! When a line was written.

use jiff::Timestamp;

use super::{Written, ms};
use crate::nginx::error_log::join::Seen;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_line_read_at_once_was_written_between_two_looks() {
    let seen = Seen { at: ms(10_500), wall: at("2026-11-22T13:45:03.5Z") };
    let written = Written::new(Some(at("2026-11-22T13:45:03Z")), ms(10_490), seen);
    assert_eq!(written, Written { earliest: ms(10_490), latest: ms(10_500) });
}

#[test]
fn a_line_read_late_was_written_in_its_second_or_the_next() {
    let seen = Seen { at: ms(60_500), wall: at("2026-11-22T13:45:53.5Z") };
    let written = Written::new(Some(at("2026-11-22T13:45:03Z")), ms(0), seen);
    assert_eq!(written, Written { earliest: ms(10_000), latest: ms(12_000) });
}

#[test]
fn a_second_that_cannot_be_is_not_believed() {
    let seen = Seen { at: ms(10_500), wall: at("2026-11-22T13:45:03.5Z") };
    let looks = Written { earliest: ms(10_490), latest: ms(10_500) };
    for second in ["2026-11-22T12:45:03Z", "2026-11-22T14:45:03Z", "1970-01-01T00:00:00Z"] {
        assert_eq!(Written::new(Some(at(second)), ms(10_490), seen), looks, "{second}");
    }
    assert_eq!(Written::new(None, ms(10_490), seen), looks);
}
