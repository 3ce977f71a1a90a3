//! What `explain` explains.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::verdict::{Cause, Evidence, WouldRaise};

/// Flags of `explain`.
#[derive(Clone, Copy, Debug, Args)]
pub struct ExplainArgs {
    /// A cause, such as keepalive_race, or a piece of evidence, such as fin_seen [default: list them]
    #[arg(value_name = "CAUSE", value_parser = topic(), hide_possible_values = true)]
    pub topic: Option<Topic>,
}

/// A name that verdicts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Why a connection ended.
    Cause(Cause),
    /// What a verdict rests on.
    Evidence(Evidence),
    /// What would have raised its confidence.
    WouldRaise(WouldRaise),
}

impl Topic {
    /// Every topic: the causes, the evidence, and what would have raised a confidence.
    pub fn all() -> impl Iterator<Item = Self> {
        let causes = Cause::ALL.iter().copied().map(Self::Cause);
        let evidence = Evidence::ALL.iter().copied().map(Self::Evidence);
        causes.chain(evidence).chain(WouldRaise::ALL.iter().copied().map(Self::WouldRaise))
    }

    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cause(cause) => cause.as_str(),
            Self::Evidence(evidence) => evidence.as_str(),
            Self::WouldRaise(would) => would.as_str(),
        }
    }
}

fn topic() -> impl TypedValueParser<Value = Topic> {
    PossibleValuesParser::new(Topic::all().map(Topic::name))
        .try_map(|name| Topic::all().find(|topic| topic.name() == name).ok_or("no such cause or evidence"))
}
