//! Who nginx is on this host: its master and worker processes, and the sockets they listen on.

pub mod config;
pub mod configurations;
pub mod error_log;
pub mod logs;
mod proc_fs;
pub mod processes;
mod sock_diag;
mod socket_list;
pub mod sockets;
pub mod upstream_settings;
pub mod version;
