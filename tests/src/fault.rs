//! The fault backend: a small HTTP/1.1 server that misbehaves exactly as the request's path asks.
//!
//! Each noteworthy thing that it does is one JSON line on standard output, so that the lab can wait for the event.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value, json};

mod channel;
mod death;
mod deed;
mod request;
mod response;
mod tunnel;

use channel::{Channel, Security};
use deed::{Backend, Deed, Next};
use request::Head;
use response::Framing;

/// How the fault backend behaves whatever the path says.
#[derive(Debug, Clone, clap::Args)]
pub struct FaultArgs {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Close a connection with a FIN after so many milliseconds without a request
    #[arg(long)]
    idle_close_ms: Option<u64>,
    /// Close a connection with the request unread if that comes after so many milliseconds of idleness: the idle timer
    /// and the request meet in the same moment
    #[arg(long)]
    late_ms: Option<u64>,
    /// Accept and close at once what comes beyond so many open connections
    #[arg(long)]
    max_connections: Option<usize>,
    /// Let the accept queue hold so many connections and one more
    #[arg(long)]
    backlog: Option<i32>,
    /// Turn these away with a reset, not with a close
    #[arg(long)]
    turn_away_by_reset: bool,
    /// Abort a response with a reset after so many bytes of its body
    #[arg(long)]
    max_response: Option<usize>,
    /// Abort a response with a reset if nobody takes a byte of it for so many milliseconds
    #[arg(long)]
    send_timeout_ms: Option<u64>,
    /// How the end of a response is told
    #[arg(long, value_enum, default_value_t = Framing::Length)]
    framing: Framing,
    /// Add so many bytes to the body of each response
    #[arg(long, default_value_t = 0)]
    body_bytes: usize,
    /// Speak TLS with the key and the certificate in this PEM file
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Answer every request, whatever the path asks for
    #[arg(long)]
    obliging: bool,
    /// On SIGTERM exit with code 0, rather than die of it
    #[arg(long)]
    graceful: bool,
}

/// Serves until something ends the process.
pub fn serve(args: &FaultArgs) -> Result<()> {
    if args.graceful {
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGTERM, 0, always)?;
    }
    let listener = TcpListener::bind(args.listen).with_context(|| format!("cannot listen at {}", args.listen))?;
    if let Some(backlog) = args.backlog {
        rustix::net::listen(&listener, backlog).context("cannot shorten the accept queue")?;
    }
    report("ready", None, &json!({ "addr": args.listen }));
    let backend = Arc::new(Backend { args: args.clone(), in_work: AtomicUsize::new(0) });
    let security = args.tls.as_deref().map(Security::load).transpose()?;
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let stream = stream.context("cannot accept")?;
        let peer = stream.peer_addr().ok();
        if args.max_connections.is_some_and(|limit| open.load(Ordering::SeqCst) >= limit) {
            turn_away(stream, args.turn_away_by_reset)?;
            report("turned_away", peer, &Value::Null);
            continue;
        }
        report("accepted", peer, &Value::Null);
        open.fetch_add(1, Ordering::SeqCst);
        let (backend, security, open) = (backend.clone(), security.clone(), open.clone());
        thread::spawn(move || {
            // A connection that fails is the business of these faults, not an error of this program.
            let _ = Channel::accept(stream, security.as_ref()).and_then(|channel| converse(channel, peer, &backend));
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
    Ok(())
}

fn turn_away(stream: TcpStream, by_reset: bool) -> Result<()> {
    if by_reset {
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    }
    drop(stream);
    Ok(())
}

fn converse(mut channel: Channel, peer: Option<SocketAddr>, backend: &Backend) -> Result<()> {
    let args = &backend.args;
    channel.socket().set_nodelay(true)?;
    let mut served = false;
    loop {
        let idle_since = Instant::now();
        if !channel.has_data() && !readable_within(channel.socket(), args.idle_close_ms)? {
            drop(channel);
            report("idle_close", peer, &Value::Null);
            return Ok(());
        }
        let late = args.late_ms.map(Duration::from_millis).filter(|_| served);
        if late.is_some_and(|late| idle_since.elapsed() >= late) {
            drop(channel);
            report("closed_unread", peer, &Value::Null);
            return Ok(());
        }
        served = true;
        let Some(head) = Head::read(&mut channel)? else {
            report("client_closed", peer, &Value::Null);
            return Ok(());
        };
        if let Some(inside) = head.path.strip_prefix("/ws/") {
            return tunnel::serve(&mut channel, peer, backend, inside);
        }
        let deed = if args.obliging { Deed::Answer { delay_ms: 0 } } else { Deed::asked_for(&head.path) };
        if !deed.leaves_body_unread() {
            head.skip_body(&mut channel)?;
        }
        report("request", peer, &json!({ "path": head.path }));
        if deed.perform(&mut channel, peer, backend)? == Next::Close {
            return Ok(());
        }
    }
}

/// Waits for data or the end of the stream; false if neither came within `limit_ms`.
fn readable_within(stream: &TcpStream, limit_ms: Option<u64>) -> Result<bool> {
    // Not `SO_RCVTIMEO`: it counts in jiffies of up to 10 ms, this in nanoseconds.
    let timeout = limit_ms.map(Duration::from_millis).map(Timespec::try_from).transpose()?;
    let fd = stream.as_fd();
    Ok(rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref())? > 0)
}

/// Prints one event; `more` is an object of further fields, or null.
fn report(event: &str, peer: Option<SocketAddr>, more: &Value) {
    let mut line = json!({ "event": event, "peer": peer });
    if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
        line.extend(more.clone());
    }
    let mut stdout = io::stdout().lock();
    // Without a reader there is no one to tell.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
