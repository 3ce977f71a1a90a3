//! The calls, by what one could do with them.

use libc::c_long;

/// Forbidden whatever their arguments are.
#[rustfmt::skip]
pub(super) const ALWAYS: &[c_long] = &[
    // Other programs.
    libc::SYS_execve, libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")] libc::SYS_fork,
    #[cfg(target_arch = "x86_64")] libc::SYS_vfork,
    // Other processes: their memory, their descriptors, signals to them.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd, libc::SYS_pidfd_send_signal, libc::SYS_kcmp, libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo, libc::SYS_migrate_pages, libc::SYS_move_pages,
    // Who we are.
    libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setresuid,
    libc::SYS_setresgid, libc::SYS_setfsuid, libc::SYS_setfsgid, libc::SYS_setgroups,
    // Where we are: mounts, roots, namespaces.
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_move_mount,
    libc::SYS_open_tree, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick,
    libc::SYS_mount_setattr, libc::SYS_setns, libc::SYS_unshare,
    // Files past their paths, and what is no plain file.
    libc::SYS_open_by_handle_at, libc::SYS_mknodat, libc::SYS_fchownat, libc::SYS_fchown,
    libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_acct, libc::SYS_quotactl,
    libc::SYS_swapon, libc::SYS_swapoff,
    #[cfg(target_arch = "x86_64")] libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")] libc::SYS_chown,
    #[cfg(target_arch = "x86_64")] libc::SYS_lchown,
    // The kernel itself.
    libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_kexec_load,
    libc::SYS_reboot, libc::SYS_syslog, libc::SYS_perf_event_open, libc::SYS_userfaultfd,
    #[cfg(target_arch = "x86_64")] libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")] libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")] libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")] libc::SYS_modify_ldt,
    // The machine's names, clocks and keys.
    libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_settimeofday, libc::SYS_clock_settime,
    libc::SYS_adjtimex, libc::SYS_clock_adjtime, libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl,
    libc::SYS_personality,
    // It would do all of this out of a filter's sight.
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
];

/// Calls of [`ALWAYS`] that have a number of their own in the x32 ABI ([source]): execve, ptrace, rt_sigqueueinfo,
/// kexec_load, rt_tgsigqueueinfo, process_vm_readv, process_vm_writev, execveat, move_pages.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/arch/x86/entry/syscalls/syscall_64.tbl
pub(super) const X32_ONLY: [i64; 9] = [520, 521, 524, 528, 533, 536, 539, 540, 545];
