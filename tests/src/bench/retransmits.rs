//! Workloads on a path that swallows packets.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::workload::{Pairs, Place, open, talk};

/// Connections whose SYN is lost at a time.
const SYNS: usize = 64;

/// Longer than what the observer takes for an idle time, at any length of a jiffy.
const IDLE: Duration = Duration::from_millis(1_100);

/// Time for several retransmissions: the first comes after 200 ms, and each next one after twice as long.
const WAIT: Duration = Duration::from_millis(2_000);

/// Handshakes that nobody answers: the first retransmission comes after a second.
pub(super) fn syn(place: &Place<'_>, _: Pairs) -> Result<Pairs> {
    let at = SocketAddr::new(place.server.ip(), 4001);
    swallow(place, at.port())?;
    let knock = || drop(TcpStream::connect_timeout(&at, Duration::from_millis(3_300)));
    place.net.inside(|| {
        thread::scope(|scope| {
            let knocks: Vec<_> = (0..SYNS).map(|_| scope.spawn(knock)).collect();
            knocks.into_iter().try_for_each(|knock| knock.join().map_err(|_| anyhow!("a thread panicked")))
        })
    })?;
    Ok(Pairs::new())
}

/// Kept connections that have been idle.
pub(super) fn idle(place: &Place<'_>) -> Result<Pairs> {
    place.net.run("nft", &["flush", "ruleset"], "")?;
    let mut pairs = open(place.net, SocketAddr::new(place.server.ip(), 4002))?;
    talk(&mut pairs)?;
    thread::sleep(IDLE);
    swallow(place, 4002)?;
    Ok(pairs)
}

/// A request on each that is never acknowledged.
pub(super) fn request(_: &Place<'_>, mut pairs: Pairs) -> Result<Pairs> {
    pairs.iter_mut().try_for_each(|(client, _)| client.write_all(b"?"))?;
    thread::sleep(WAIT);
    Ok(pairs)
}

fn swallow(place: &Place<'_>, port: u16) -> Result<()> {
    let rules = format!(
        "flush ruleset\ntable inet bench {{\n chain input {{\n  type filter hook input priority 0;\n  \
         tcp dport {port} drop\n }}\n}}\n"
    );
    place.net.run("nft", &["-f", "-"], &rules)?;
    Ok(())
}
