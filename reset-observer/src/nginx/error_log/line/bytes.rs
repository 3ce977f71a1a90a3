//! Finding and showing bytes of a line.

use std::fmt::Write as _;

use smol_str::SmolStr;

/// Where `needle` begins first.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// Where `needle` begins last.
pub(super) fn rfind(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).rposition(|window| window == needle)
}

/// What comes before and after the first `needle`.
pub(super) fn cut<'a>(hay: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    find(hay, needle).map(|at| (&hay[..at], &hay[at + needle.len()..]))
}

/// The number that `hay` begins with, in decimal digits, and what follows.
pub(super) fn number(hay: &[u8]) -> Option<(u64, &[u8])> {
    let end = hay.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(hay.len());
    let (digits, rest) = hay.split_at(end);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// Text that is safe to show: control characters and what is no UTF-8 become `\xHH`, as in nginx's access log.
pub(super) fn shown(bytes: &[u8]) -> SmolStr {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() {
                escape(&mut text, char.encode_utf8(&mut [0; 4]).as_bytes())
            } else {
                text.push(char)
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text.into()
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\x{byte:02X}");
    }
}
