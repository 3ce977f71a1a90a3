//! What a path makes the backend do to its connection, or to itself.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::report;

/// How the process ends itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// By SIGKILL.
    Kill,
    /// By SIGSEGV.
    Segv,
    /// By SIGABRT.
    Abort,
    /// With exit code 1.
    ExitOne,
    /// With exit code 0: in good order.
    ExitZero,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// `/delay/MS` answers after so long; every unknown path at once.
    Answer { delay_ms: u64 },
    /// `/size/N` answers with N bytes.
    Size { bytes: usize },
    /// `/crash/HOW` ends the process once the request is read: `kill`, `segv`, `abort`, `exit1`, `exit0`.
    Crash(Death),
    /// `/crash-unread/HOW` ends the process with the body unread, so that the kernel resets the connection.
    CrashUnread(Death),
    /// `/crash-midway/HOW` announces 100 000 bytes, sends 1000 and ends the process.
    CrashMidway(Death),
    /// `/stop-reading` never answers and never reads again.
    StopReading,
    /// `/close` closes once the request is read, without an answer.
    Close,
    /// `/close-unread` closes with the body unread.
    CloseUnread,
    /// `/linger0` resets the connection once the request is read.
    Linger0,
    /// `/reset-after/MS` does the same after so long.
    ResetAfter { delay_ms: u64 },
    /// `/cut/N` announces 100 000 bytes, sends N and closes.
    Cut { bytes: usize },
    /// `/cut-reset/N` announces 100 000 bytes, sends N and resets the connection.
    CutReset { bytes: usize },
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It serves on.
    KeepOpen,
    /// It is closed by dropping it.
    Close,
}

/// What a cut response announces, in bytes.
const ANNOUNCED: usize = 100_000;

impl Deed {
    /// What `path` asks for.
    pub(super) fn asked_for(path: &str) -> Self {
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let (verb, object) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let number = object.parse().unwrap_or(0);
        match verb {
            "delay" => Self::Answer { delay_ms: object.parse().unwrap_or(0) },
            "size" => Self::Size { bytes: number },
            "crash" => Self::Crash(Death::named(object)),
            "crash-unread" => Self::CrashUnread(Death::named(object)),
            "crash-midway" => Self::CrashMidway(Death::named(object)),
            "stop-reading" => Self::StopReading,
            "close" => Self::Close,
            "close-unread" => Self::CloseUnread,
            "linger0" => Self::Linger0,
            "reset-after" => Self::ResetAfter { delay_ms: first_number(object) },
            "cut" => Self::Cut { bytes: number },
            "cut-reset" => Self::CutReset { bytes: number },
            _ => Self::Answer { delay_ms: 0 },
        }
    }

    /// Whether the body must stay in the kernel.
    pub(super) fn leaves_body_unread(&self) -> bool {
        matches!(self, Self::CrashUnread(_) | Self::CloseUnread | Self::StopReading)
    }

    /// Does it to `stream`.
    pub(super) fn perform(
        &self,
        stream: &mut TcpStream,
        peer: Option<SocketAddr>,
        max_response: Option<usize>,
    ) -> Result<Next> {
        match self {
            Self::Answer { delay_ms } => {
                thread::sleep(Duration::from_millis(*delay_ms));
                respond(stream, 3, b"ok\n")?;
                Ok(Next::KeepOpen)
            }
            Self::Size { bytes } => send_body(stream, peer, *bytes, max_response),
            Self::Crash(death) => death.die(peer),
            Self::CrashUnread(death) => {
                wait_for_body(stream)?;
                death.die(peer)
            }
            Self::CrashMidway(death) => {
                respond(stream, ANNOUNCED, &[b'x'; 1000])?;
                death.die(peer)
            }
            Self::StopReading => {
                report("stopped_reading", peer, &Value::Null);
                loop {
                    thread::park();
                }
            }
            Self::Close => close(peer),
            Self::CloseUnread => {
                wait_for_body(stream)?;
                close(peer)
            }
            Self::Linger0 => reset(stream, peer),
            Self::ResetAfter { delay_ms } => {
                thread::sleep(Duration::from_millis(*delay_ms));
                reset(stream, peer)
            }
            Self::Cut { bytes } => {
                respond(stream, ANNOUNCED, &vec![b'x'; *bytes])?;
                close(peer)
            }
            Self::CutReset { bytes } => {
                respond(stream, ANNOUNCED, &vec![b'x'; *bytes])?;
                reset(stream, peer)
            }
        }
    }
}

impl Death {
    fn named(name: &str) -> Self {
        match name {
            "segv" => Self::Segv,
            "abort" => Self::Abort,
            "exit1" => Self::ExitOne,
            "exit0" => Self::ExitZero,
            _ => Self::Kill,
        }
    }

    fn die(self, peer: Option<SocketAddr>) -> ! {
        report("dying", peer, &json!({ "how": format!("{self:?}") }));
        match self {
            Self::ExitZero => process::exit(0),
            Self::ExitOne => process::exit(1),
            Self::Abort => process::abort(),
            Self::Kill => strike(Signal::KILL),
            Self::Segv => strike(Signal::SEGV),
        }
    }
}

/// What follows a further `/` only tells one request from another.
fn first_number(object: &str) -> u64 {
    object.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Sends this process a deadly signal until it is dead.
fn strike(signal: Signal) -> ! {
    loop {
        // The first SIGSEGV only makes Rust's stack-overflow handler step aside; the second one kills.
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        thread::yield_now();
    }
}

fn send_body(
    stream: &mut TcpStream,
    peer: Option<SocketAddr>,
    bytes: usize,
    max_response: Option<usize>,
) -> Result<Next> {
    match max_response.filter(|limit| bytes > *limit) {
        Some(limit) => {
            respond(stream, bytes, &vec![b'x'; limit])?;
            reset(stream, peer)
        }
        None => {
            respond(stream, bytes, &vec![b'x'; bytes])?;
            Ok(Next::KeepOpen)
        }
    }
}

fn respond(stream: &mut TcpStream, announced: usize, body: &[u8]) -> Result<()> {
    let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n").into_bytes();
    response.extend_from_slice(body);
    Ok(stream.write_all(&response)?)
}

fn close(peer: Option<SocketAddr>) -> Result<Next> {
    report("closing", peer, &Value::Null);
    Ok(Next::Close)
}

fn reset(stream: &TcpStream, peer: Option<SocketAddr>) -> Result<Next> {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
    report("resetting", peer, &Value::Null);
    Ok(Next::Close)
}

/// Waits until at least a byte of the body lies in the kernel, and leaves it there.
fn wait_for_body(stream: &TcpStream) -> Result<()> {
    stream.peek(&mut [0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_deed() {
        assert_eq!(Deed::asked_for("/ok"), Deed::Answer { delay_ms: 0 });
        assert_eq!(Deed::asked_for("/crash/segv"), Deed::Crash(Death::Segv));
        assert_eq!(Deed::asked_for("/crash-unread/kill"), Deed::CrashUnread(Death::Kill));
        assert_eq!(Deed::asked_for("/reset-after/70/a-7"), Deed::ResetAfter { delay_ms: 70 });
        assert_eq!(Deed::asked_for("/cut/50"), Deed::Cut { bytes: 50 });
    }
}
