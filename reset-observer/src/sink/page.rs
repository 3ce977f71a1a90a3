//! A page of the documentation, laid out for a terminal.

use comfy_table::{ContentArrangement, LineStyle, TableStyle, presets};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::table::Look;

/// Columns where there is no terminal to ask.
const PIPE: usize = 80;

/// Longer lines are hard to read, however wide the terminal.
const WIDEST: usize = 100;

/// Columns before text; headings have none.
const INDENT: usize = 2;

/// Columns before the lines of a code block, which are never broken.
const CODE_INDENT: usize = 6;

/// Cells bring a space of their own on either side.
const TABLE_INDENT: usize = INDENT - 1;

const TABLE: TableStyle = presets::NOTHING.header_separator(LineStyle::none().fill('-').junction('-'));

/// Lays out a page of Markdown: headings, paragraphs, lists, code and tables. Headings are bold in colour; code within a
/// sentence keeps its backticks, and a link to elsewhere is followed by its address.
#[must_use]
pub fn render(markdown: &str, look: Look) -> String {
    let width = look.width.unwrap_or(PIPE).min(WIDEST);
    let mut page = Page::new(Look { width: Some(width), ..look }, width);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.take(event);
    }
    page.out
}

/// A page while it is laid out.
struct Page {
    look: Look,
    width: usize,
    out: String,
    /// The text of the block being read.
    text: String,
    /// What stands before the next block in place of its indentation.
    bullet: Option<String>,
    /// For each open list, the next number, if it is numbered.
    lists: Vec<Option<u64>>,
    after_heading: bool,
    after_code: bool,
    in_code: bool,
    link: Option<String>,
    rows: Vec<Vec<String>>,
}

impl Page {
    fn new(look: Look, width: usize) -> Self {
        Self {
            look,
            width,
            out: String::new(),
            text: String::new(),
            bullet: None,
            lists: Vec::new(),
            after_heading: false,
            after_code: false,
            in_code: false,
            link: None,
            rows: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code => self.code(&text),
            Event::Text(text) => self.text.push_str(&text),
            Event::Code(code) => self.text.push_str(&format!("`{code}`")),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            Event::Rule
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other tags change nothing about the layout")]
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } | Tag::Table(_) => self.gap(),
            Tag::Paragraph if self.bullet.is_none() => self.gap(),
            Tag::CodeBlock(_) => {
                self.flush();
                self.gap();
                self.in_code = true;
            }
            Tag::List(first) => {
                self.flush();
                if self.lists.is_empty() {
                    self.gap();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                if self.after_code {
                    self.gap();
                }
                self.bullet = Some(self.next_bullet());
            }
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.into_string()),
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other tags change nothing about the layout")]
    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                let heading = std::mem::take(&mut self.text);
                self.out.push_str(&format!("{}\n", self.look.strong(&heading)));
                self.after_heading = true;
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::List(_) => _ = self.lists.pop(),
            TagEnd::CodeBlock => {
                self.in_code = false;
                self.after_code = true;
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                self.rows.last_mut().expect("a cell is in a row").push(cell);
            }
            TagEnd::Table => self.table(),
            TagEnd::Link => self.address(),
            _ => {}
        }
    }

    /// An empty line, but at the top and below a heading.
    fn gap(&mut self) {
        if !self.after_heading && !self.out.is_empty() {
            self.out.push('\n');
        }
        self.after_heading = false;
        self.after_code = false;
    }

    fn indent(&self) -> usize {
        let bullets = self.lists.iter().map(|number| if number.is_some() { "1. ".len() } else { "- ".len() });
        INDENT + bullets.sum::<usize>()
    }

    fn next_bullet(&mut self) -> String {
        let bullet = match self.lists.last_mut() {
            Some(Some(number)) => {
                let bullet = format!("{number}. ");
                *number += 1;
                bullet
            }
            Some(None) | None => "- ".to_owned(),
        };
        format!("{:>indent$}", bullet, indent = self.indent())
    }

    /// Writes the text read so far as a paragraph.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return;
        }
        let indent = self.indent();
        let before = self.bullet.take().unwrap_or_else(|| " ".repeat(indent));
        self.out.push_str(&self.look.hang(&before, &text, indent));
    }

    fn code(&mut self, text: &str) {
        for line in text.lines() {
            self.out.push_str(format!("{:CODE_INDENT$}{line}", "").trim_end());
            self.out.push('\n');
        }
    }

    /// Pages of this manual are named by what they explain; an address elsewhere is of use on a terminal.
    fn address(&mut self) {
        let address =
            self.link.take().filter(|link| link.starts_with("https://") && !self.text.ends_with(link.as_str()));
        if let Some(address) = address {
            self.text.push_str(&format!(" ({address})"));
        }
    }

    fn table(&mut self) {
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        let mut table = comfy_table::Table::new();
        table
            .load_style(TABLE)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width.saturating_sub(TABLE_INDENT)).unwrap_or(u16::MAX))
            .set_header(rows.next().unwrap_or_default());
        table.add_rows(rows);
        for line in table.lines() {
            self.out.push_str(format!("{:TABLE_INDENT$}{line}", "").trim_end());
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests;
