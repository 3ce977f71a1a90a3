//! Lists of a verdict, which lie in it as long as they are no longer than usual.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::{Array, SmallVec};

use super::{Evidence, WouldRaise};

/// Pieces of evidence, strongest first.
pub type EvidenceList = SmallVec<[Evidence; 16]>;

/// What would have raised a confidence, each once.
pub type WouldRaiseList = SmallVec<[WouldRaise; WouldRaise::ALL.len()]>;

pub(super) fn serialize<A: Array, S: Serializer>(list: &SmallVec<A>, serializer: S) -> Result<S::Ok, S::Error>
where
    A::Item: Serialize,
{
    list.as_slice().serialize(serializer)
}

pub(super) fn deserialize<'de, A: Array, D: Deserializer<'de>>(deserializer: D) -> Result<SmallVec<A>, D::Error>
where
    A::Item: Deserialize<'de>,
{
    Vec::deserialize(deserializer).map(SmallVec::from_iter)
}
