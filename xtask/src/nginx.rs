//! What some tests need of nginx beside the one of this system.

pub(crate) mod newest;
pub(crate) mod packages;
