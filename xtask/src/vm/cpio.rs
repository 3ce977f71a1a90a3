//! The archive that a kernel unpacks as its first file system: cpio in the "newc" format ([specification]).
//!
//! [specification]: https://docs.kernel.org/driver-api/early-userspace/buffer-format.html

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Component, Path},
};

use anyhow::{Context as _, Result};

const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;

/// An archive that grows.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Adds a file with this content, and the directories above it.
    pub(super) fn file(&mut self, path: &str, content: &[u8], executable: bool) -> Result<()> {
        if let Some(parent) = Path::new(path).parent() {
            self.directory(parent)?;
        }
        self.entry(path, REGULAR | if executable { 0o755 } else { 0o644 }, content)
    }

    /// Adds a file of this machine at the path that it has here.
    pub(super) fn copy(&mut self, path: &Path) -> Result<()> {
        self.copy_to(path, &path.display().to_string())
    }

    /// Adds a file of this machine at another path.
    pub(super) fn copy_to(&mut self, from: &Path, to: &str) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("could not read {}", from.display()))?;
        let mode = fs::metadata(from).with_context(|| format!("could not look at {}", from.display()))?;
        self.file(to, &content, mode.permissions().mode() & 0o111 != 0)
    }

    /// Adds a directory and those above it, unless they are there.
    pub(super) fn directory(&mut self, path: &Path) -> Result<()> {
        let mut whole = String::new();
        for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
            whole = format!("{whole}/{}", part.as_os_str().to_string_lossy());
            if self.directories.insert(whole.clone()) {
                self.entry(&whole, DIRECTORY, &[])?;
            }
        }
        Ok(())
    }

    /// The archive, ended.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let name = path.trim_start_matches('/');
        let size = u32::try_from(content.len()).with_context(|| format!("{path} is too large for an initramfs"))?;
        let name_size = u32::try_from(name.len() + 1).context("a path that is too long")?;
        self.entries += 1;
        // Inode, mode, owner, group, links, time, size, four device numbers, length of the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
        Ok(())
    }

    /// Names and contents begin at multiples of four bytes.
    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn cpio_lists_what_was_packed() {
        let mut archive = Archive::default();
        archive.file("/etc/a", b"content", false).unwrap();
        archive.file("/etc/b", b"", true).unwrap();
        let mut cpio = Command::new("cpio");
        cpio.arg("--list").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut cpio) = cpio.spawn() else {
            eprintln!("left out: there is no cpio here to ask");
            return;
        };
        cpio.stdin.take().unwrap().write_all(&archive.finish().unwrap()).unwrap();
        let listed = String::from_utf8(cpio.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(listed, "etc\netc/a\netc/b\n");
    }
}
