//! nginx's error log: what a worker says of a request that failed, joined with what the kernel said of its connection.
//!
//! [`line`](mod@line) reads nginx's grammar, [`follow`] follows the files, [`join`] finds the line that belongs to a
//! verdict, [`impact`] says what nginx did with the request. All but [`follow`] are pure.

pub mod follow;
pub mod impact;
pub mod join;
pub mod line;
pub mod reader;
pub mod zone;
