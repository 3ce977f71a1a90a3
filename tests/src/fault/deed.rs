//! What a path makes the backend do to its connection, or to itself.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::channel::Channel;
use super::death::Death;
use super::response::Framing;
use super::{FaultArgs, report};

/// What all connections of the backend share.
#[derive(Debug)]
pub(super) struct Backend {
    /// How it behaves.
    pub(super) args: FaultArgs,
    /// Requests of [`Deed::ResetOver`] that are being worked on.
    pub(super) in_work: AtomicUsize,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// `/delay/MS` answers after so long; every unknown path at once.
    Answer { delay_ms: u64 },
    /// `/size/N` answers with N bytes.
    Size { bytes: usize },
    /// `/crash/HOW` ends the process once the request is read: `kill`, `segv`, `abort`, `oom`, `exit1`, `exit0`.
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
    /// `/reset-over/N/MS` does the same at once if more than N such requests are in work; else answers after MS.
    ResetOver { limit: usize, delay_ms: u64 },
    /// `/pause/N/MS` announces 100 000 bytes, sends N, waits so long and sends the rest.
    Pause { bytes: usize, delay_ms: u64 },
    /// `/too-large` answers 413 and closes, with the body unread.
    TooLarge,
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
            "reset-over" => {
                let (limit, delay) = object.split_once('/').unwrap_or((object, "0"));
                Self::ResetOver { limit: limit.parse().unwrap_or(0), delay_ms: first_number(delay) }
            }
            "pause" => {
                let (bytes, delay) = object.split_once('/').unwrap_or((object, "0"));
                Self::Pause { bytes: bytes.parse().unwrap_or(0), delay_ms: first_number(delay) }
            }
            "too-large" => Self::TooLarge,
            "cut" => Self::Cut { bytes: number },
            "cut-reset" => Self::CutReset { bytes: number },
            _ => Self::Answer { delay_ms: 0 },
        }
    }

    /// Whether the body must stay in the kernel.
    pub(super) fn leaves_body_unread(&self) -> bool {
        matches!(self, Self::CrashUnread(_) | Self::CloseUnread | Self::StopReading | Self::TooLarge)
    }

    /// Does it to `channel`.
    pub(super) fn perform(&self, channel: &mut Channel, peer: Option<SocketAddr>, backend: &Backend) -> Result<Next> {
        let args = &backend.args;
        match self {
            Self::Answer { delay_ms } => {
                thread::sleep(Duration::from_millis(*delay_ms));
                answer(channel, args)
            }
            Self::Size { bytes } => send_body(channel, peer, *bytes, args),
            Self::Crash(death) => death.die(peer),
            Self::CrashUnread(death) => {
                wait_for_body(channel)?;
                death.die(peer)
            }
            Self::CrashMidway(death) => {
                cut_short(channel, 1000, args)?;
                death.die(peer)
            }
            Self::StopReading => stop_reading(peer),
            Self::Close => close(peer),
            Self::CloseUnread => {
                wait_for_body(channel)?;
                close(peer)
            }
            Self::Linger0 => reset(channel, peer),
            Self::ResetAfter { delay_ms } => {
                thread::sleep(Duration::from_millis(*delay_ms));
                reset(channel, peer)
            }
            Self::ResetOver { limit, delay_ms } => reset_over(channel, peer, backend, *limit, *delay_ms),
            Self::Pause { bytes, delay_ms } => pause(channel, *bytes, *delay_ms, args),
            Self::TooLarge => too_large(channel, peer),
            Self::Cut { bytes } => {
                cut_short(channel, *bytes, args)?;
                close(peer)
            }
            Self::CutReset { bytes } => {
                cut_short(channel, *bytes, args)?;
                reset(channel, peer)
            }
        }
    }
}

/// What follows a further `/` only tells one request from another.
fn first_number(object: &str) -> u64 {
    object.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn stop_reading(peer: Option<SocketAddr>) -> ! {
    report("stopped_reading", peer, &Value::Null);
    loop {
        thread::park();
    }
}

fn reset_over(
    channel: &mut Channel,
    peer: Option<SocketAddr>,
    backend: &Backend,
    limit: usize,
    delay_ms: u64,
) -> Result<Next> {
    let over = backend.in_work.fetch_add(1, Ordering::SeqCst) >= limit;
    if !over {
        thread::sleep(Duration::from_millis(delay_ms));
    }
    backend.in_work.fetch_sub(1, Ordering::SeqCst);
    if over { reset(channel, peer) } else { answer(channel, &backend.args) }
}

fn pause(channel: &mut Channel, bytes: usize, delay_ms: u64, args: &FaultArgs) -> Result<Next> {
    cut_short(channel, bytes, args)?;
    thread::sleep(Duration::from_millis(delay_ms));
    channel.write_all(&vec![b'x'; ANNOUNCED - bytes])?;
    channel.flush()?;
    Ok(Next::KeepOpen)
}

fn too_large(channel: &mut Channel, peer: Option<SocketAddr>) -> Result<Next> {
    wait_for_body(channel)?;
    channel.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    channel.flush()?;
    close(peer)
}

fn answer(channel: &mut Channel, args: &FaultArgs) -> Result<Next> {
    let mut body = b"ok\n".to_vec();
    body.resize(body.len() + args.body_bytes, b'x');
    args.framing.respond(channel, body.len(), &body)?;
    Ok(if args.framing == Framing::Close { Next::Close } else { Next::KeepOpen })
}

fn cut_short(channel: &mut Channel, bytes: usize, args: &FaultArgs) -> Result<()> {
    args.framing.respond(channel, ANNOUNCED + 2 * args.body_bytes, &vec![b'x'; bytes + args.body_bytes])
}

fn send_body(channel: &mut Channel, peer: Option<SocketAddr>, bytes: usize, args: &FaultArgs) -> Result<Next> {
    if let Some(limit) = args.max_response.filter(|limit| bytes > *limit) {
        args.framing.respond(channel, bytes, &vec![b'x'; limit])?;
        return reset(channel, peer);
    }
    channel.socket().set_write_timeout(args.send_timeout_ms.map(Duration::from_millis))?;
    match args.framing.respond(channel, bytes, &vec![b'x'; bytes]) {
        Err(_) if args.send_timeout_ms.is_some() => reset(channel, peer),
        sent => sent.map(|()| Next::KeepOpen),
    }
}

fn close(peer: Option<SocketAddr>) -> Result<Next> {
    report("closing", peer, &Value::Null);
    Ok(Next::Close)
}

fn reset(channel: &Channel, peer: Option<SocketAddr>) -> Result<Next> {
    rustix::net::sockopt::set_socket_linger(channel.socket(), Some(Duration::ZERO))?;
    report("resetting", peer, &Value::Null);
    Ok(Next::Close)
}

/// Waits until at least a byte of the body lies in the kernel, and leaves it there.
fn wait_for_body(channel: &Channel) -> Result<()> {
    channel.socket().peek(&mut [0])?;
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
