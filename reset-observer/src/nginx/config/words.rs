//! nginx's own grammar: words, quotes, escapes and comments, byte for byte as `ngx_conf_read_token` reads them ([source]).
//!
//! [source]: https://github.com/nginx/nginx/blob/release-1.29.7/src/core/ngx_conf_file.c

use super::lua;

/// The longest word or comment that nginx reads: the size of its buffer (`NGX_CONF_BUFFER`), which Angie, Tengine and
/// OpenResty have not changed.
const LONGEST: usize = 4096;

/// One word of a directive, with quotes and escapes resolved. The bytes need not be UTF-8.
pub type Word = Vec<u8>;

/// A directive up to its `;` or `{`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its name and arguments; never empty.
    pub words: Vec<Word>,
    /// The line of its first word, from 1.
    pub line: u32,
}

/// What [`Tokens::next_token`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A directive that ends in `;`.
    Simple(Statement),
    /// A directive that opens a block.
    Open(Statement),
    /// The `}` of a block.
    Close,
    /// The end of the text, outside any directive.
    End,
}

/// What nginx refuses, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line that nginx names, from 1; for a mistake that runs to the end of the text, often the last.
    pub line: u32,
    /// What is wrong.
    pub says: String,
}

/// Where the text comes from: nginx names the end of each differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A configuration file.
    File,
    /// The directives of the option `-g`.
    Option,
}

/// Reads directives from a text, one at a time.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a [u8],
    kind: Kind,
    at: usize,
    line: u32,
    /// Where the word began, as far as nginx's buffer is concerned.
    start: usize,
    start_line: u32,
}

/// What ended a word.
enum Ending {
    Space,
    Semicolon,
    Brace,
}

impl<'a> Tokens<'a> {
    /// Begins at the first byte of `text`.
    #[must_use]
    pub fn new(text: &'a [u8], kind: Kind) -> Self {
        Self { text, kind, at: 0, line: 1, start: 0, start_line: 1 }
    }

    /// The line that is being read, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The next directive, or the `}` or the end that comes before it.
    ///
    /// # Errors
    ///
    /// What nginx refuses; nothing that follows can be read then.
    pub fn next_token(&mut self) -> Result<Token, Fault> {
        let mut statement = Statement::default();
        self.begin(self.at);
        loop {
            let Some(byte) = self.take()? else {
                return if statement.words.is_empty() { Ok(Token::End) } else { Err(self.cut_short()) };
            };
            self.begin(self.at - 1);
            let ending = match byte {
                b' ' | b'\t' | b'\r' | b'\n' => continue,
                b'#' => {
                    self.skip_comment()?;
                    continue;
                }
                b';' | b'{' if statement.words.is_empty() => return Err(self.unexpected(byte)),
                b';' => return Ok(Token::Simple(statement)),
                b'{' => return Ok(Token::Open(statement)),
                b'}' if statement.words.is_empty() => return Ok(Token::Close),
                b'}' => return Err(self.unexpected(byte)),
                _ => self.word(byte, &mut statement)?,
            };
            match ending {
                Ending::Space => {}
                Ending::Semicolon => return Ok(Token::Simple(statement)),
                Ending::Brace => return Ok(Token::Open(statement)),
            }
        }
    }

    /// Skips the Lua code of a block whose `{` was just read, and its `}`.
    ///
    /// # Errors
    ///
    /// The code has no end.
    pub fn skip_lua(&mut self) -> Result<(), Fault> {
        let (code, rest) = (&self.text[self.at..], self.line);
        let end = lua::end_of_block(code)
            .map_err(|unclosed| Fault { line: rest + newlines(&code[..unclosed.at]), says: unclosed.says })?;
        self.line += newlines(&code[..end]);
        self.at += end;
        Ok(())
    }

    fn word(&mut self, first: u8, statement: &mut Statement) -> Result<Ending, Fault> {
        if statement.words.is_empty() {
            statement.line = self.line;
        }
        if first != b'"' && first != b'\'' {
            return self.bare_word(first, statement);
        }
        self.start += 1;
        self.quoted_word(first, statement)?;
        match self.take()? {
            None => Err(self.cut_short()),
            Some(b' ' | b'\t' | b'\r' | b'\n') => Ok(Ending::Space),
            Some(b';') => Ok(Ending::Semicolon),
            Some(b'{') => Ok(Ending::Brace),
            // So that `if ($a = "b")` needs no space.
            Some(b')') => {
                self.begin(self.at - 1);
                self.bare_word(b')', statement)
            }
            Some(byte) => Err(self.unexpected(byte)),
        }
    }

    fn bare_word(&mut self, first: u8, statement: &mut Statement) -> Result<Ending, Fault> {
        let (mut escaped, mut variable) = (first == b'\\', first == b'$');
        loop {
            let byte = self.take()?.ok_or_else(|| self.cut_short())?;
            if escaped {
                escaped = false;
                continue;
            }
            if byte == b'{' && variable {
                continue;
            }
            variable = byte == b'$';
            let ending = match byte {
                b'\\' => {
                    escaped = true;
                    continue;
                }
                b' ' | b'\t' | b'\r' | b'\n' => Ending::Space,
                b';' => Ending::Semicolon,
                b'{' => Ending::Brace,
                _ => continue,
            };
            statement.words.push(unescape(&self.text[self.start..self.at - 1]));
            return Ok(ending);
        }
    }

    fn quoted_word(&mut self, quote: u8, statement: &mut Statement) -> Result<(), Fault> {
        let mut escaped = false;
        loop {
            let byte = self.take_in(Some(quote))?.ok_or_else(|| self.cut_short())?;
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == quote {
                statement.words.push(unescape(&self.text[self.start..self.at - 1]));
                return Ok(());
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), Fault> {
        while let Some(byte) = self.take()? {
            if byte == b'\n' {
                self.begin(self.at - 1);
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, at: usize) {
        self.start = at;
        self.start_line = self.line;
    }

    fn take(&mut self) -> Result<Option<u8>, Fault> {
        self.take_in(None)
    }

    fn take_in(&mut self, quote: Option<u8>) -> Result<Option<u8>, Fault> {
        let Some(&byte) = self.text.get(self.at) else { return Ok(None) };
        if self.kind == Kind::File && self.at - self.start == LONGEST {
            return Err(self.too_long(quote));
        }
        self.at += 1;
        self.line += u32::from(byte == b'\n');
        Ok(Some(byte))
    }

    fn too_long(&self, quote: Option<u8>) -> Fault {
        let begins = String::from_utf8_lossy(&self.text[self.start..self.start + 10]);
        let says = match quote {
            Some(quote) => {
                format!("too long parameter, probably missing terminating \"{}\" character", char::from(quote))
            }
            None => format!("too long parameter \"{begins}...\" started"),
        };
        Fault { line: self.start_line, says }
    }

    fn unexpected(&self, byte: u8) -> Fault {
        let shown = String::from_utf8_lossy(std::slice::from_ref(&byte)).into_owned();
        Fault { line: self.line, says: format!("unexpected \"{shown}\"") }
    }

    fn cut_short(&self) -> Fault {
        let says = match self.kind {
            Kind::File => "unexpected end of file, expecting \";\" or \"}\"",
            Kind::Option => "unexpected end of parameter, expecting \";\"",
        };
        Fault { line: self.line, says: says.into() }
    }
}

/// A backslash goes before a quote or a backslash, makes a control character of `t`, `r` and `n`, and stays otherwise.
fn unescape(raw: &[u8]) -> Word {
    let mut word = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        let (byte, taken) = match (first, tail.first()) {
            (b'\\', Some(&next @ (b'"' | b'\'' | b'\\'))) => (next, 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            _ => (*first, 1),
        };
        word.push(byte);
        rest = &rest[taken..];
    }
    word
}

fn newlines(text: &[u8]) -> u32 {
    let count = text.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
