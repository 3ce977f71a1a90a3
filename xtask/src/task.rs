//! The tasks, one file each.

pub(crate) mod accuracy;
pub(crate) mod bench;
pub(crate) mod browser;
pub(crate) mod check;
pub(crate) mod deb;
pub(crate) mod demo;
pub(crate) mod image;
pub(crate) mod monitoring;
pub(crate) mod recordings;
pub(crate) mod run;
pub(crate) mod setup;
pub(crate) mod test;
