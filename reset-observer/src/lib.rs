//! reset-observer: reads the kernel's own record of every TCP reset on an nginx proxy host, joins it with the worker and
//! the upstream behind it, and says why: backend crash, keepalive race or middlebox.
//!
//! Data flows one way: kernel, [`decode`], [`attribute`], [`correlate`], [`classify`], [`advise`], [`sink`].
//! `ARCHITECTURE.md` has the map and the invariants.
#![deny(unsafe_code)]

pub mod counts;
pub mod record;
pub mod verdict;
