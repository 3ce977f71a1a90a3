//! A program on a terminal: a real pseudo-terminal, of which everything that is written to it is kept.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::child::signal_process;

/// How long a text may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that runs on a terminal. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts a program on a terminal with so many columns, with these environment variables on top of the lab's own.
    pub fn start(program: &Path, arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        let name = ptsname(&master, Vec::new())?;
        let slave = File::options().read(true).write(true).open(name.to_str()?)?;
        let mut command = Command::new(program);
        command.args(arguments).env("TERM", "xterm").env_remove("NO_COLOR").envs(variables.iter().copied());
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        // The command holds the terminal open: without it, reading ends with the program.
        drop(command);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut master, kept) = (File::from(master), Arc::clone(&written));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error (EIO) is how a terminal says that nobody writes to it any more.
            while let Ok(read @ 1..) = master.read(&mut bytes) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..read]);
            }
        });
        Ok(Self { child, written, reader: Some(reader) })
    }

    /// Everything that was written so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until this was written.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.written().contains(text) {
            if Instant::now() > deadline {
                bail!("{text:?} does not come: {:?}", self.written());
            }
            // A terminal cannot be waited on for a text.
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Sends the program what Ctrl-C sends.
    pub fn interrupt(&self) -> Result<()> {
        signal_process(self.child.id(), Signal::INT)
    }

    /// Waits for the end of the program; gives its exit status and everything that it wrote.
    pub fn end(mut self) -> Result<(ExitStatus, String)> {
        let deadline = Instant::now() + PATIENCE;
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            if Instant::now() > deadline {
                bail!("it still runs: {:?}", self.written());
            }
            thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait()?;
        Ok((status, self.written()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.reader.take().map(JoinHandle::join);
    }
}

/// What is to be read on the terminal in the end: lines that were erased are gone, colours are left out.
pub fn screen(written: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = written.chars();
    while let Some(character) = rest.next() {
        let line = lines.last_mut();
        match (character, line) {
            ('\n', _) => lines.push(String::new()),
            ('\r', _) => {}
            ('\x1b', Some(line)) => {
                let sequence: String = rest.by_ref().take_while(|character| !character.is_ascii_alphabetic()).collect();
                if sequence == "[2" {
                    line.clear();
                }
            }
            (character, Some(line)) => line.push(character),
            (_, None) => {}
        }
    }
    lines
}
