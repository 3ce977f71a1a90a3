//! HTML under construction. What is not part of this program can only get in escaped.

use std::fmt::{self, Display, Write};

/// HTML under construction.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup as it is, which only this program's own text can be.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, for content and for attributes in double quotation marks.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // A string refuses nothing.
        _ = write!(Escape(&mut self.0), "{text}");
        self
    }

    /// The finished HTML.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

struct Escape<'a>(&'a mut String);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Not allowed in HTML, and a terminal's escape in a copied line is no better.
                character if character.is_control() && character != '\n' && character != '\t' => {
                    self.0.push('\u{fffd}')
                }
                character => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut markup = Markup::default();
        markup.raw("<p title=\"").text("\"><script>'&\u{0}\u{1b}[31m").raw("\">").text(7).raw("</p>");
        assert_eq!(markup.finish(), "<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\u{fffd}\u{fffd}[31m\">7</p>");
    }
}
