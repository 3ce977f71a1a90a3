//! One virtual machine: QEMU without hardware help, two serial lines, and a limit of time that nothing outlives.
//!
//! The first line is the kernel's console; on the second the lab writes one JSON object per line and nothing else does.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::program::typed;

/// How long a machine may run: several times what the slowest kernel takes on two busy cores.
const LIMIT: Duration = Duration::from_secs(900);

/// How much of the console tells why a machine died.
const LAST_LINES: usize = 40;

/// The emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";

/// A machine to boot.
pub(super) struct Machine<'a> {
    pub(super) image: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) console: PathBuf,
    /// What to hand to the lab inside.
    pub(super) arguments: &'a [String],
}

impl Machine<'_> {
    /// Boots it and hands each line of the lab's to `take`, until the machine is off.
    pub(super) fn run(&self, mut take: impl FnMut(Value)) -> Result<Duration> {
        let start = Instant::now();
        let mut command = self.command();
        let mut qemu = command.spawn().with_context(|| format!("could not start `{}`", typed(&command)))?;
        let outcome = self.listen(&mut qemu, start, &mut take);
        // Whatever went wrong, the machine does not stay behind.
        let _ = qemu.kill();
        let _ = qemu.wait();
        match outcome {
            Ok(true) => Ok(start.elapsed()),
            Ok(false) => bail!("the machine went off before the lab was done; {}", self.last_words()),
            Err(error) => Err(error.context(self.last_words())),
        }
    }

    /// Whether the lab came to its end.
    fn listen(&self, qemu: &mut Child, start: Instant, take: &mut impl FnMut(Value)) -> Result<bool> {
        let stdout = qemu.stdout.take().context("qemu has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // Nobody listens any more once the time is up.
            lines.into_iter().try_for_each(|line| sender.send(line)).ok()
        });
        let mut ended = false;
        loop {
            match lines.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => {
                    let Ok(value) = serde_json::from_str::<Value>(line.trim()) else { continue };
                    ended |= value["type"] == "end";
                    take(value);
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(ended),
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("the machine still ran after {} s", LIMIT.as_secs()),
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(QEMU);
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"]);
        command.arg("-kernel").arg(self.image).arg("-initrd").arg(self.initramfs);
        let lab = self.arguments.join(" ");
        // A panic must end the machine at once, and only the first console has to hear the kernel.
        let line = format!("console=ttyS0 panic=-1 oops=panic rdinit=/usr/bin/lab -- init {lab}");
        command.arg("-append").arg(line.trim_end());
        command.arg("-serial").arg(format!("file:{}", self.console.display())).args(["-serial", "stdio"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    fn last_words(&self) -> String {
        let bytes = fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!("the last lines of its console ({}):\n  {}", self.console.display(), last.join("\n  "))
    }
}
