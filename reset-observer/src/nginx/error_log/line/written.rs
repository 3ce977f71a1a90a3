//! The time of a line, read back as it was written down: `2026-11-22T13:45:03`.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Deserializer, de};

/// Length of a time without a fraction of a second, which no line has.
const LEN: usize = 19;

/// Reads a time. Every line has one, and most of the general reader's time goes into forms that no line's has.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime, D::Error> {
    deserializer.deserialize_str(Written)
}

struct Written;

impl de::Visitor<'_> for Written {
    type Value = DateTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date and a time of day")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DateTime, E> {
        plain(text.as_bytes()).map_or_else(|| text.parse().map_err(E::custom), Ok)
    }
}

/// `None` for any other form, and for a day that is none.
pub(crate) fn plain(text: &[u8]) -> Option<DateTime> {
    let text: &[u8; LEN] = text.try_into().ok()?;
    let pair = |at: usize| {
        let (tens, units) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && units < 10).then(|| (tens * 10 + units).cast_signed())
    };
    if [text[4], text[7], text[10], text[13], text[16]] != *b"--T::" {
        return None;
    }
    let year = i16::from(pair(0)?) * 100 + i16::from(pair(2)?);
    DateTime::new(year, pair(5)?, pair(8)?, pair(11)?, pair(14)?, pair(17)?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_jiff_reads_it() {
        for text in ["2026-11-22T13:45:03", "0000-01-01T00:00:00", "2024-02-29T23:59:59", "9999-12-31T00:00:59"] {
            assert_eq!(plain(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_time_is_left_to_jiff() {
        for text in
            ["2026-11-22 13:45:03", "2026-11-22T13:45:03.5", "2023-02-29T00:00:00", "2026-11-22T13:45:60", "x", ""]
        {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
        let read: Result<DateTime, serde_json::Error> =
            deserialize(&mut serde_json::Deserializer::from_str("\"2026-11-22 13:45\""));
        assert_eq!(read.unwrap(), "2026-11-22T13:45:00".parse().unwrap());
    }
}
