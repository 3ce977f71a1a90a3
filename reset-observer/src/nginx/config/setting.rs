//! A value with the place where it is set, and how settings pass from outer blocks to inner ones.

use std::{collections::HashMap, time::Duration};

use super::{
    directive::{Directive, Place},
    value,
};

/// A value as a directive sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where the directive is.
    pub place: Place,
}

/// The blocks around a directive, from the outermost in. Each remembers its simple directives by name, so that a look-up
/// costs the depth and not the length of the blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'a> {
    levels: Vec<HashMap<&'a [u8], &'a Directive>>,
    headers: Vec<HeaderLevel<'a>>,
}

/// What a block says about the headers of requests that are passed on.
#[derive(Clone, Copy, Debug, Default)]
struct HeaderLevel<'a> {
    any: bool,
    connection: Option<&'a Directive>,
}

impl<'a> Scope<'a> {
    /// Enters a block.
    pub(super) fn enter(&mut self, directives: &'a [Directive]) {
        let (mut level, mut headers) = (HashMap::new(), HeaderLevel::default());
        for directive in directives.iter().filter(|directive| directive.block.is_none()) {
            // nginx refuses a second one.
            level.entry(directive.name()).or_insert(directive);
            if directive.name() == b"proxy_set_header" {
                headers.any = true;
                if directive.arguments().first().is_some_and(|name| name.eq_ignore_ascii_case(b"connection")) {
                    headers.connection = Some(directive);
                }
            }
        }
        self.levels.push(level);
        self.headers.push(headers);
    }

    /// Leaves the innermost block.
    pub(super) fn leave(&mut self) {
        self.levels.pop();
        self.headers.pop();
    }

    /// The directive that counts here: that of the innermost block that has one.
    pub(super) fn find(&self, name: &str) -> Option<&'a Directive> {
        self.levels.iter().rev().find_map(|level| level.get(name.as_bytes()).copied())
    }

    /// `proxy_set_header Connection`: a block with any `proxy_set_header` inherits none of them.
    pub(super) fn connection_header(&self) -> Option<Setting<String>> {
        let directive = self.headers.iter().rev().find(|level| level.any)?.connection?;
        let value = directive.arguments().get(1)?;
        Some(directive.setting(String::from_utf8_lossy(value).into_owned()))
    }

    pub(super) fn time(&self, name: &str) -> Option<Setting<Duration>> {
        self.find(name)?.time()
    }

    pub(super) fn number(&self, name: &str) -> Option<Setting<u64>> {
        self.find(name)?.number()
    }

    pub(super) fn flag(&self, name: &str) -> Option<Setting<bool>> {
        let directive = self.find(name)?;
        value::flag(directive.only_argument()?).map(|value| directive.setting(value))
    }

    pub(super) fn text(&self, name: &str) -> Option<Setting<String>> {
        let directive = self.find(name)?;
        Some(directive.setting(String::from_utf8_lossy(directive.only_argument()?).into_owned()))
    }

    pub(super) fn texts(&self, name: &str) -> Option<Setting<Vec<String>>> {
        let directive = self.find(name)?;
        let words = directive.arguments().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        Some(directive.setting(words))
    }
}

impl Directive {
    pub(super) fn setting<T>(&self, value: T) -> Setting<T> {
        Setting { value, place: self.place.clone() }
    }

    pub(super) fn time(&self) -> Option<Setting<Duration>> {
        value::time(self.only_argument()?).map(|value| self.setting(value))
    }

    pub(super) fn number(&self) -> Option<Setting<u64>> {
        value::number(self.only_argument()?).map(|value| self.setting(value))
    }
}
