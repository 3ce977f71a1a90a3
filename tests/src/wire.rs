//! A wire with delay, in user space: packets wait in an NFQUEUE until their time has come.
//!
//! `sch_netem` is not built into every kernel, and this one is exact to half a millisecond.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nfq::{Message, Queue, Verdict};

use crate::child::{Child, Launch};
use crate::namespace::Namespace;
use crate::programs;

/// One queue for each direction, so that each is first in, first out.
const DIRECTIONS: [(&str, u16); 2] = [("left", 0), ("right", 1)];

/// How long a held packet may be late.
const GRAIN: Duration = Duration::from_micros(500);

/// The running wire of one namespace.
#[derive(Debug)]
pub struct Wire {
    _process: Child,
}

impl Wire {
    /// Delays everything that `node` forwards by `delay`, each way.
    pub fn start(node: &Namespace, delay: Duration) -> Result<Self> {
        let launch = Launch::new("the wire", programs::lab()?).inside(node);
        let process = launch.args(["wire", "--delay-us", &delay.as_micros().to_string()]).start()?;
        process
            .stdout
            .wait_for(0, Duration::from_secs(5), |line| (line == "ready").then_some(()))
            .with_context(|| format!("the wire did not come up: {:?}", process.stderr.all()))?;
        // The rules come after the listener: without one, NFQUEUE drops.
        for (interface, queue) in DIRECTIONS {
            let queue = queue.to_string();
            let rule = ["-A", "FORWARD", "-i", interface, "-j", "NFQUEUE", "--queue-num", &queue];
            node.run("iptables", &rule, "")?;
            node.run("ip6tables", &rule, "")?;
        }
        Ok(Self { _process: process })
    }
}

/// The wire's process: holds each packet of both queues for `delay`, until it is killed.
pub fn hold_packets(delay: Duration) -> Result<()> {
    let queues = DIRECTIONS.map(|(_, number)| open(number));
    println!("ready");
    io::stdout().flush()?;
    thread::scope(|scope| {
        let workers = queues.map(|queue| scope.spawn(move || delay_queue(queue?, delay)));
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a queue panicked"))?)
    })
}

fn open(number: u16) -> Result<Queue> {
    let open = || {
        let mut queue = Queue::open()?;
        queue.bind(number)?;
        queue.set_copy_range(number, 0)?;
        // A packet that the kernel joined for offloading passes whole, as it would on a real wire's host.
        queue.set_recv_gso(number, true)?;
        Ok::<_, io::Error>(queue)
    };
    open().with_context(|| format!("cannot open packet queue {number}; is NFQUEUE in this kernel?"))
}

fn delay_queue(mut queue: Queue, delay: Duration) -> Result<()> {
    let mut held: VecDeque<(Instant, Message)> = VecDeque::new();
    loop {
        // With nothing in hand there is nothing to be late for, and the wait costs no CPU.
        queue.set_nonblocking(!held.is_empty());
        match queue.recv() {
            Ok(packet) => held.push_back((Instant::now() + delay, packet)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(GRAIN.min(until_first(&held))),
            Err(error) => return Err(error).context("cannot receive a packet"),
        }
        while until_first(&held).is_zero() {
            let Some((_, mut packet)) = held.pop_front() else { break };
            packet.set_verdict(Verdict::Accept);
            queue.verdict(packet).context("cannot release a packet")?;
        }
    }
}

fn until_first(held: &VecDeque<(Instant, Message)>) -> Duration {
    let wait = |(due, _): &(Instant, Message)| due.saturating_duration_since(Instant::now());
    held.front().map_or(Duration::MAX, wait)
}
