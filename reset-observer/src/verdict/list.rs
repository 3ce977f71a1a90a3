//! Lists of a verdict, which lie in it as long as they are no longer than usual.

use smallvec::SmallVec;

use super::{Evidence, WouldRaise};

/// Pieces of evidence, strongest first.
pub type EvidenceList = SmallVec<[Evidence; 16]>;

/// What would have raised a confidence, each once.
pub type WouldRaiseList = SmallVec<[WouldRaise; WouldRaise::ALL.len()]>;
