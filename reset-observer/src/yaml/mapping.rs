//! Keys that are known, and what to say of one that is not.

use super::{Entry, Mistake, Node, Value};

/// How alike two names are before one is taken for the other misspelt, of 1; that of clap.
const ALIKE: f64 = 0.8;

/// Keys with their values, all of them known.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a>(&'a [Entry]);

impl<'a> Mapping<'a> {
    /// The keys of a node, which may be empty.
    ///
    /// # Errors
    /// If it is no mapping, or has a key that is not `known`.
    pub fn of(node: &'a Node, known: &[&str]) -> Result<Self, Mistake> {
        let mapping = Self::of_any(node)?;
        match mapping.0.iter().find(|entry| !known.contains(&entry.key.as_str())) {
            Some(entry) => Err(Mistake::new(entry.place, unknown(&entry.key, known))),
            None => Ok(mapping),
        }
    }

    /// The same with keys of the user's own choice.
    ///
    /// # Errors
    /// If it is no mapping.
    pub fn of_any(node: &'a Node) -> Result<Self, Mistake> {
        match &node.value {
            Value::Mapping(entries) => Ok(Self(entries)),
            Value::Empty => Ok(Self(&[])),
            Value::Scalar { .. } | Value::List(_) => {
                Err(Mistake::new(node.place, "keys and values are wanted here, as in `key: value`"))
            }
        }
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(self) -> &'a [Entry] {
        self.0
    }

    /// The value of a key, if it is there and not empty.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'a Node> {
        let entry = self.0.iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|node| node.value != Value::Empty)
    }

    /// The text of a key, if it is there.
    ///
    /// # Errors
    /// If it is no text.
    pub fn text(self, key: &str) -> Result<Option<&'a str>, Mistake> {
        self.get(key).map(Node::text).transpose()
    }
}

/// What to say of a name that is not known: which it may have been meant to be, else which there are.
#[must_use]
pub fn unknown(name: &str, known: &[&str]) -> String {
    let alike = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    let nearest = alike.max_by(|one, other| one.0.total_cmp(&other.0)).filter(|(likeness, _)| *likeness > ALIKE);
    match nearest {
        Some((_, meant)) => format!("unknown key {name:?}: did you mean {meant}?"),
        None => format!("unknown key {name:?}: there are {}", known.join(", ")),
    }
}
