//! reset-observer: reads the kernel's own record of every TCP reset on an nginx proxy host, joins it with the worker and
//! the upstream behind it, and says why: backend crash, keepalive race or middlebox.
//!
//! Data flows one way: kernel, [`decode`], [`attribute`], [`correlate`], [`classify`], [`advise`], [`sink`].
//! `ARCHITECTURE.md` has the map and the invariants.
#![deny(unsafe_code)]

pub mod attribute;
pub mod cli;
pub mod counts;
pub mod decode;
pub mod http;
pub mod kernel;
pub mod nginx;
pub mod record;
pub mod sink;
pub mod verdict;
