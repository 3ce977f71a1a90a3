//! Processes as records name them. The same few come again and again: the text of their names is kept.

use smol_str::SmolStr;

use crate::record::Process;

/// How many names are kept.
const KEPT: usize = 16;

/// Reads processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Processes {
    /// Command names as the kernel has them, and as text. Each process has one place, which it may share with others.
    names: [([u8; 16], SmolStr); KEPT],
}

impl Processes {
    /// The process with this thread group and command name, which ends with a zero or fills all bytes.
    pub(super) fn process(&mut self, tgid: u32, comm: &[u8; 16]) -> Process {
        let (known, name) = &mut self.names[tgid as usize % KEPT];
        if known != comm {
            (*known, *name) = (*comm, text(comm));
        }
        Process { tgid, comm: name.clone() }
    }
}

fn text(comm: &[u8; 16]) -> SmolStr {
    let end = comm.iter().position(|&byte| byte == 0).unwrap_or(comm.len());
    SmolStr::new(String::from_utf8_lossy(&comm[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_share_a_place_keep_their_names() {
        let mut processes = Processes::default();
        let names = [*b"nginx\0\0\0\0\0\0\0\0\0\0\0", *b"sixteen bytes 16", *b"\xff\0ignored\0\0\0\0\0\0\0", [0; 16]];
        let texts = ["nginx", "sixteen bytes 16", "\u{fffd}", ""];
        for _ in 0..2 {
            for (name, text) in names.iter().zip(texts) {
                assert_eq!(processes.process(7, name), Process { tgid: 7, comm: text.into() });
            }
        }
    }
}
