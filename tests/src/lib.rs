//! The lab: real nginx, real backends, a router with conntrack and a wire with delay, all in network namespaces that
//! vanish with the process; and scenarios whose truth is known because the lab did the deed itself.
//!
//! Nothing here is named or pinned: no `ip netns`, no interface in the host's namespace, no process without a
//! parent-death signal. Whatever way the lab ends, even by SIGKILL, the machine is as it was.

#![forbid(unsafe_code)]

pub mod accuracy;
pub mod backend;
pub mod bench;
pub mod boxed;
pub mod bpf;
pub mod browser;
pub mod cell;
pub mod cgroup;
pub mod child;
pub mod clean;
pub mod client;
pub mod counters;
pub mod demo;
pub mod enter;
pub mod fault;
pub mod fleet;
pub mod ground;
pub mod interrupt;
pub mod judge;
pub mod lines;
pub mod lock;
pub mod memory;
pub mod namespace;
pub mod nginx;
pub mod observer;
pub mod programs;
pub mod recording;
pub mod router;
pub mod scenario;
pub mod stage;
pub mod terminal;
pub mod topology;
pub mod trial;
pub mod truth;
pub mod vm;
pub mod wire;
