//! Who nginx is on this host: its master and worker processes, and the sockets they listen on.

pub mod config;
pub mod error_log;
mod proc_fs;
pub mod processes;
mod sock_diag;
mod socket_list;
pub mod sockets;
pub mod version;
