//! From the text to its values.

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span};

use super::{Entry, Mistake, Node, Place, Value};

/// No settings are nested deeper.
const MAX_DEPTH: usize = 16;

/// Reads one document; an empty one is [`Value::Empty`].
///
/// # Errors
/// If it is not YAML, or has what settings do not need: anchors, tags, several documents, a key twice.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other event starts a value")]
pub fn parse(text: &str) -> Result<Node, Mistake> {
    let mut reader = Reader(Parser::new_from_str_with_options(text, Options::default()));
    let mut document = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            _ if document.is_some() => {
                return Err(Mistake::new(place(span.start), "a second document starts here: one file holds one"));
            }
            event => document = Some(reader.node(event, span, 0)?),
        }
    }
    Ok(document.unwrap_or(Node { place: Place { line: 1, column: 1 }, value: Value::Empty }))
}

struct Reader<'a>(Parser<'a, granit_parser::StrInput<'a>>);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Mistake> {
        match self.0.next() {
            Some(Ok(read)) => Ok(read),
            Some(Err(error)) => Err(Mistake::new(place(*error.marker()), format!("not YAML: {}", error.info()))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what starts no value that settings need is refused")]
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Mistake> {
        let place = place(span.start);
        let refuse = |message: &str| Err(Mistake::new(place, message));
        if depth > MAX_DEPTH {
            return refuse("nested too deep for settings");
        }
        let value = match event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag)
                if anchor != 0 || tag.is_some() =>
            {
                return refuse("anchors (&name) and tags (!name) have no use in settings: write the value itself");
            }
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => Value::List(self.list(depth)?),
            Event::MappingStart(..) => Value::Mapping(self.mapping(depth)?),
            _ => return refuse("an alias (*name) has no use in settings: write the value itself"),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Mistake> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(nodes),
                (event, span) => nodes.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<Entry>, Mistake> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, span, depth + 1)?;
            let (place, name) = (key.place, key.text()?.to_owned());
            if let Some(first) = entries.iter().find(|entry| entry.key == name) {
                let message = format!("{name:?} is given twice, first in line {}: leave one out", first.place.line);
                return Err(Mistake::new(place, message));
            }
            let (event, span) = self.next()?;
            entries.push(Entry { key: name, place, value: self.node(event, span, depth + 1)? });
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let quoted = style != ScalarStyle::Plain;
    match text {
        "" | "~" | "null" if !quoted => Value::Empty,
        text => Value::Scalar { text: text.to_owned(), quoted },
    }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}
