//! Recordings: what decided the verdicts of a session, in a file that gives the same verdicts on any machine.
//!
//! A recording is a line of JSON that says what it is ([`Header`]), and blocks ([`block`]) of entries ([`entry`]): each
//! record as the kernel wrote it, whose it was by the answer of [`crate::attribute`], lines of nginx's error log, and the
//! instants at which verdicts were asked for. [`tape`] writes entries, [`player`] hands them to a pipeline again. All of
//! this is pure but [`mod@file`], which knows of the disk. `docs/recordings.md` describes the format.

pub mod block;
pub mod entry;
pub mod file;
mod header;
mod placing;
pub mod player;
pub mod reader;
mod redact;
pub mod tape;

pub use header::{FORMAT, Header, VERSION};
pub use placing::Placing;
pub use redact::Redactor;
