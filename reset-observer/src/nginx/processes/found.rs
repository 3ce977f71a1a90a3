//! A process as it was found, and where such findings come from.

/// Inodes of the namespaces that decide what a process sees; `None` where they may not be read (CAP_SYS_PTRACE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Network namespace.
    pub net: Option<u32>,
    /// Mount namespace: which configuration file a path means.
    pub mount: Option<u32>,
    /// Pid namespace: which process a pid in a log means.
    pub pid: Option<u32>,
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundProcess {
    /// Process id in the observer's pid namespace.
    pub pid: u32,
    /// Process id of the parent.
    pub parent: u32,
    /// Command name, at most 15 bytes.
    pub comm: String,
    /// The title, which nginx writes over its arguments: `nginx: worker process`.
    pub title: String,
    /// Base name of the executable, also after the file was replaced; `None` where it may not be read
    /// (CAP_SYS_PTRACE).
    pub exe: Option<String>,
    /// Process id in the innermost pid namespace, which is the one in nginx's log; `None` if unknown.
    pub inner_pid: Option<u32>,
    /// When it started, clock ticks since boot. With the pid, this is the identity of a process.
    pub started: u64,
    /// Its namespaces.
    pub namespaces: Namespaces,
}

impl FoundProcess {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

/// Where processes come from: `/proc`, or a recording.
pub trait ProcessSource: Send {
    /// All proxies of the host.
    fn all(&self) -> Vec<FoundProcess>;

    /// The process with this id, whatever it is; `None` if it is gone.
    fn one(&self, pid: u32) -> Option<FoundProcess> {
        self.all().into_iter().find(|process| process.pid == pid)
    }

    /// Ids of the children of a process, none if it is gone; `None` where the source cannot tell without
    /// [`Self::all`] (a kernel without `CONFIG_PROC_CHILDREN`).
    fn children(&self, _pid: u32) -> Option<Vec<u32>> {
        None
    }
}

impl<F: Fn() -> Vec<FoundProcess> + Send> ProcessSource for F {
    fn all(&self) -> Vec<FoundProcess> {
        self()
    }
}
