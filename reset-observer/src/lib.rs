//! reset-observer: reads the kernel's own record of every TCP reset on an nginx proxy host, joins it with the worker and
//! the upstream behind it, and says why: backend crash, keepalive race or middlebox.
//!
//! Data flows one way: kernel, [`decode`], [`attribute`], [`correlate`], [`classify`], [`advise`], [`sink`].
//! `ARCHITECTURE.md` has the map and the invariants.
#![deny(unsafe_code)]

pub mod advise;
pub mod attribute;
pub mod classify;
pub mod cli;
pub mod commands;
pub mod comparison;
pub mod container;
pub mod correlate;
pub mod counts;
pub mod decode;
pub mod episode;
pub mod http;
pub mod kernel;
pub mod mismatch;
pub mod nginx;
pub mod own_process;
pub mod pipeline;
pub mod record;
pub mod recording;
pub mod resets;
#[cfg(test)]
mod sample;
pub mod sandbox;
pub mod sink;
pub mod state;
pub mod verdict;
pub mod yaml;
