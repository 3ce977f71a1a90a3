//! Who nginx is on this host: its master and worker processes, and the sockets they listen on.

pub mod error_log;
mod proc_fs;
pub mod processes;
pub mod sockets;
