//! Names of programs that are observed besides nginx.

use std::{fmt, str::FromStr};

use crate::nginx::processes::FoundProcess;

/// Longest command name that the kernel keeps, bytes ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/sched.h#L316
const COMM_BYTES: usize = 15;

/// Longest name of a file on Linux, bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// The name of a program, as it is called on the command line: a file name without its directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessName(String);

impl ProcessName {
    /// Whether a process goes by this name: its command name, or the name of its executable.
    #[must_use]
    pub fn names(&self, process: &FoundProcess) -> bool {
        process.exe.as_deref() == Some(&*self.0) || self.is_comm(&process.comm)
    }

    /// Whether this is the command name of a program of this name: the first 15 bytes of it.
    #[must_use]
    pub fn is_comm(&self, comm: &str) -> bool {
        comm.as_bytes() == &self.0.as_bytes()[..self.0.len().min(COMM_BYTES)]
    }
}

impl FromStr for ProcessName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("a process needs a name: write the program's, such as haproxy".into());
        }
        if text.contains('/') {
            let base = text.rsplit('/').find(|part| !part.is_empty()).unwrap_or("haproxy");
            return Err(format!("a path is no name: write the program's name alone, such as {base}"));
        }
        if text.len() > NAME_MAX {
            return Err(format!("longer than a program's name can be ({NAME_MAX} bytes): shorten it"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ProcessName {
        text.parse().unwrap()
    }

    fn process(comm: &str, exe: Option<&str>) -> FoundProcess {
        FoundProcess { comm: comm.into(), exe: exe.map(str::to_owned), ..FoundProcess::default() }
    }

    #[test]
    fn a_process_is_named_by_its_command_name_or_by_its_executable() {
        assert!(name("haproxy").names(&process("haproxy", None)));
        assert!(name("envoy").names(&process("wrk:worker_0", Some("envoy"))));
        assert!(!name("envoy").names(&process("node", Some("node"))));
        assert!(!name("node").names(&process("node-agent", None)));
    }

    #[test]
    fn a_name_longer_than_the_kernel_keeps_is_known_by_its_first_fifteen_bytes() {
        assert!(name("a-proxy-with-a-long-name").is_comm("a-proxy-with-a-"));
        assert!(!name("a-proxy-with-a-long-name").is_comm("a-proxy"));
        assert!(name("größer-als-fünfzehn").names(&process("?", Some("größer-als-fünfzehn"))));
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_with_what_to_write() {
        let refusal = |text: &str| text.parse::<ProcessName>().unwrap_err();
        assert!(refusal("").contains("such as haproxy"));
        assert!(refusal("  ").contains("such as haproxy"));
        assert!(refusal("/usr/sbin/haproxy").ends_with("such as haproxy"));
        assert!(refusal("/").contains("name alone"));
        assert!(refusal(&"x".repeat(256)).contains("255 bytes"));
    }
}
