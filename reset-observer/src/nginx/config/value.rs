//! Times, sizes and numbers as nginx reads them ([source]).
//!
//! [source]: https://github.com/nginx/nginx/blob/release-1.29.7/src/core/ngx_parse.c

use std::time::Duration;

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 60 * 60 * SECOND;
/// nginx keeps times in a signed machine word.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// A time with milliseconds: `60`, `60s`, `1m30s`, `500ms`, `1h 30m`. Units come in falling order, each once; a number
/// without a unit means seconds, and comes last. Years and months are refused, as by nginx.
#[must_use]
pub fn time(text: &[u8]) -> Option<Duration> {
    parse_time(text, true).map(Duration::from_millis)
}

/// A time of directives that know whole seconds only, such as `fail_timeout`: also `1y` and `1M`, but no `ms`.
#[must_use]
pub fn time_in_seconds(text: &[u8]) -> Option<Duration> {
    parse_time(text, false).map(Duration::from_millis)
}

/// A size in bytes: `4096`, `4k`, `1m`.
#[must_use]
pub fn size(text: &[u8]) -> Option<u64> {
    let (digits, scale) = match text {
        [digits @ .., b'k' | b'K'] => (digits, 1 << 10),
        [digits @ .., b'm' | b'M'] => (digits, 1 << 20),
        _ => (text, 1),
    };
    number(digits)?.checked_mul(scale).filter(|size| *size <= LARGEST)
}

/// A number of decimal digits.
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| append(sum, *byte))
}

/// `on` or `off`, in either case.
#[must_use]
pub fn flag(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"on") { Some(true) } else { text.eq_ignore_ascii_case(b"off").then_some(false) }
}

fn append(number: u64, digit: u8) -> Option<u64> {
    if !digit.is_ascii_digit() {
        return None;
    }
    number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|number| *number <= LARGEST)
}

fn parse_time(text: &[u8], with_ms: bool) -> Option<u64> {
    let (mut total, mut value, mut valid) = (0_u64, 0_u64, false);
    let mut last = if with_ms { 2 } else { 0 };
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if first.is_ascii_digit() {
            (value, valid, rest) = (append(value, *first)?, true, tail);
            continue;
        }
        let (order, scale, length) = unit(rest, with_ms)?;
        if order <= last {
            return None;
        }
        last = order;
        total = add(total, value, scale)?;
        value = 0;
        rest = &rest[length..];
        while let [b' ', tail @ ..] = rest {
            rest = tail;
        }
    }
    if valid { add(total, value, SECOND) } else { None }
}

fn add(total: u64, value: u64, scale: u64) -> Option<u64> {
    total.checked_add(value.checked_mul(scale)?).filter(|sum| *sum <= LARGEST)
}

/// The unit's place in the order, its length in milliseconds, and how many bytes it takes.
fn unit(text: &[u8], with_ms: bool) -> Option<(u8, u64, usize)> {
    Some(match text {
        [b'm', b's', ..] if with_ms => (8, 1, 2),
        [b'm', b's', ..] => return None,
        [b'y', ..] => (1, 365 * DAY, 1),
        [b'M', ..] => (2, 30 * DAY, 1),
        [b'w', ..] => (3, 7 * DAY, 1),
        [b'd', ..] => (4, DAY, 1),
        [b'h', ..] => (5, 60 * 60 * SECOND, 1),
        [b'm', ..] => (6, 60 * SECOND, 1),
        [b's', ..] => (7, SECOND, 1),
        // A space ends a number of seconds and allows nothing after it.
        [b' ', ..] => (9, SECOND, 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
