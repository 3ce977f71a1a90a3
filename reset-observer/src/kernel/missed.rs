//! Runs that the kernel left out: it does not let a program interrupt itself on one processor ([source]), and counts how
//! often that happened (Linux 5.12 and later; before, programs may).
//!
//! [source]: https://github.com/torvalds/linux/blob/v6.12/kernel/trace/bpf_trace.c#L2347-L2370

use std::os::fd::{AsFd as _, AsRawFd as _};

use super::programs::Programs;

/// The line of `/proc/self/fdinfo/FD`.
const LINE: &str = "recursion_misses:";

/// How many runs of all programs were left out since they were loaded; 0 where the kernel does not tell.
#[must_use]
pub fn runs_missed(programs: &Programs) -> u64 {
    programs
        .all()
        .filter_map(|(_, program)| {
            let fd = program.fd().ok()?.as_fd().as_raw_fd();
            parse(&std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?)
        })
        .sum()
}

fn parse(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix(LINE))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_count_is_found_among_its_other_lines() {
        let fdinfo = "pos:\t0\nprog_type:\t17\nrun_cnt:\t9\nrecursion_misses:\t3\nverified_insns:\t700\n";
        assert_eq!(parse(fdinfo), Some(3));
        assert_eq!(parse("pos:\t0\nprog_type:\t17\n"), None, "Linux 5.10 has no such line");
    }
}
