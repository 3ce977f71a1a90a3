//! Matching one name against one component of an `include` pattern, as glob(3) does in the C locale, the only one that
//! nginx knows.

/// A set has no more bytes than this; without a bound, a pattern of brackets would be read again from each of them.
const LONGEST_SET: usize = 256;

/// Whether the component holds a wildcard.
pub(super) fn is_wild(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"*?[".contains(byte))
}

/// Whether `name` matches: `*`, `?`, `[a-z]`, `[!a-z]`, `[[:alpha:]]`, and a backslash before what is meant literally. A
/// leading dot is matched by a dot alone.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && !matches!(pattern, [b'.', ..] | [b'\\', b'.', ..]) {
        return false;
    }
    let (mut at, mut pos) = (0, 0);
    // Only the last `*` needs to be tried again: what came before it has matched as early as possible.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, pos));
            continue;
        }
        let matched = match name.get(pos) {
            None if at == pattern.len() => return true,
            None => return false,
            Some(byte) => one(&pattern[at..], *byte),
        };
        if let Some(length) = matched {
            at += length;
            pos += 1;
        } else if let Some((after_star, from)) = retry {
            (at, pos) = (after_star, from + 1);
            retry = Some((after_star, from + 1));
        } else {
            return false;
        }
    }
}

/// The component without its backslashes.
pub(super) fn literal(pattern: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    plain
}

/// How many bytes of the pattern match `byte`, if they do.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => match set(rest, byte) {
            Some((length, inside)) => inside.then_some(length + 1),
            None => (byte == b'[').then_some(1),
        },
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

/// The length of a set without its `[`, and whether `byte` is in it; `None` if it has no end and so is no set.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let pattern = &pattern[..pattern.len().min(LONGEST_SET)];
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut inside = false;
    loop {
        if pattern.get(at) == Some(&b']') && at > first {
            return Some((at + 1, inside != negated));
        }
        if let Some((length, member)) = class(&pattern[at..], byte) {
            inside |= member;
            at += length;
            continue;
        }
        let (low, after) = character(pattern, at)?;
        let range = pattern.get(after) == Some(&b'-') && pattern.get(after + 1).is_some_and(|next| *next != b']');
        let (high, after) = if range { character(pattern, after + 1)? } else { (low, after) };
        inside |= (low..=high).contains(&byte);
        at = after;
    }
}

fn character(pattern: &[u8], at: usize) -> Option<(u8, usize)> {
    match pattern.get(at)? {
        b'\\' => Some((*pattern.get(at + 1)?, at + 2)),
        byte => Some((*byte, at + 1)),
    }
}

/// The length of a class such as `[:digit:]` at the beginning of `pattern`, and whether `byte` is in it.
fn class(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let rest = pattern.strip_prefix(b"[:")?;
    let length = rest.windows(2).position(|pair| pair == b":]")?;
    let member = match &rest[..length] {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some((length + 4, member))
}

#[cfg(test)]
mod tests;
