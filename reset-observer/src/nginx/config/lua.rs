//! Where the Lua code of a `*_by_lua_block` ends, as lua-nginx-module's own lexer finds it ([source]).
//!
//! Braces count outside strings, long brackets and comments only. A quote that is not closed on its line is no string.
//!
//! [source]: https://github.com/openresty/lua-nginx-module/blob/v0.10.28/src/ngx_http_lua_directive.c

/// Lua code without an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// Where what is not closed begins.
    pub(super) at: usize,
    /// What is wrong, in the module's words.
    pub(super) says: String,
}

/// Whether the block of this directive holds Lua code.
pub(super) fn is_lua(name: &[u8]) -> bool {
    name.ends_with(b"_by_lua_block")
}

/// The number of bytes up to and with the `}` that ends the block, whose `{` was before `code`.
pub(super) fn end_of_block(code: &[u8]) -> Result<usize, Unclosed> {
    let mut open = vec![0];
    let mut strings = Strings::default();
    let mut at = 0;
    while let Some(&byte) = code.get(at) {
        at += match byte {
            b'{' => {
                open.push(at);
                1
            }
            b'}' => {
                open.pop();
                if open.is_empty() {
                    return Ok(at + 1);
                }
                1
            }
            b'"' | b'\'' => strings.length(code, at).unwrap_or(1),
            b'[' => long_bracket(code, at)?.unwrap_or(1),
            b'-' if code[at..].starts_with(b"--") => match long_bracket(code, at + 2)? {
                Some(length) => length + 2,
                None => code[at..].iter().position(|byte| *byte == b'\n').unwrap_or(code.len() - at),
            },
            _ => 1,
        };
    }
    let says = "unexpected end of file, expecting terminating characters for lua code block";
    Err(Unclosed { at: open.last().copied().unwrap_or_default(), says: says.into() })
}

/// Finds the ends of strings.
#[derive(Default)]
struct Strings {
    /// Up to where no quote of either kind begins a string, because an earlier one on that line did not: without that, a
    /// line of backslashes and quotes would be read again from each quote.
    hopeless: [usize; 2],
}

impl Strings {
    /// The length of the string that begins at `start`, if it ends on its line.
    fn length(&mut self, code: &[u8], start: usize) -> Option<usize> {
        let quote = *code.get(start)?;
        let hopeless = &mut self.hopeless[usize::from(quote == b'"')];
        if start < *hopeless {
            return None;
        }
        let mut at = start + 1;
        loop {
            at += match code.get(at) {
                Some(b'\\') if code.get(at + 1) != Some(&b'\n') => 2,
                None | Some(b'\n' | b'\\') => {
                    *hopeless = at;
                    return None;
                }
                Some(byte) if *byte == quote => return Some(at + 1 - start),
                Some(_) => 1,
            };
        }
    }
}

/// The length of the long bracket that begins at `at`, such as `[==[ ... ]==]`, if one does.
fn long_bracket(code: &[u8], at: usize) -> Result<Option<usize>, Unclosed> {
    let text = code.get(at..).unwrap_or_default();
    let Some(rest) = text.strip_prefix(b"[") else { return Ok(None) };
    let level = rest.iter().take_while(|byte| **byte == b'=').count();
    if rest.get(level) != Some(&b'[') {
        return Ok(None);
    }
    let opening = level + 2;
    let mut from = opening;
    // Looks at each `]` once, so that many that almost close cost no more.
    while let Some(next) = text[from..].iter().position(|byte| *byte == b']') {
        let closing = &text[from + next + 1..];
        let equals = closing.iter().take_while(|byte| **byte == b'=').count();
        if equals == level && closing.get(level) == Some(&b']') {
            return Ok(Some(from + next + 2 + level));
        }
        from += next + 1 + equals;
    }
    let closing = format!("]{}]", "=".repeat(level.min(80)));
    Err(Unclosed { at, says: format!("Lua code block missing the closing long bracket \"{closing}\"") })
}

#[cfg(test)]
mod tests;
