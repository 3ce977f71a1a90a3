//! What runs inside the virtual machines of `cargo xtask vm`: the first process, and the checks of the kernel matrix. Those
//! of them that are rows of the facts run on this kernel too, in namespaces (`rows`).
//!
//! A check makes one thing happen and compares the observer's records with what must hold on this kernel. What differs
//! between kernels is asked of the kernel itself, by another way than the observer's, and never of its version.

pub mod bench;
pub mod checks;
pub mod features;
pub mod init;
pub mod link;
pub mod meeting;
pub mod peer;
pub mod record;
pub mod report;
pub mod rows;
pub mod rules;
pub mod segment;
pub mod setting;
pub mod tap;
