//! An upgraded connection: what comes in is not a request any more, and every frame makes the deed happen once.

use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::Result;
use serde_json::{Value, json};

use super::channel::Channel;
use super::deed::{Backend, Deed, Next};
use super::report;

/// A text frame that says "ok" (RFC 6455, section 5.2).
const OK_FRAME: &[u8] = b"\x81\x02ok";

/// Says 101, and does what `path` asks for on each frame that comes.
pub(super) fn serve(channel: &mut Channel, peer: Option<SocketAddr>, backend: &Backend, path: &str) -> Result<()> {
    channel.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
    channel.flush()?;
    report("upgraded", peer, &Value::Null);
    let deed = Deed::asked_for(path);
    loop {
        if channel.read(&mut [0; 256])? == 0 {
            report("client_closed", peer, &Value::Null);
            return Ok(());
        }
        report("request", peer, &json!({ "path": path }));
        if matches!(deed, Deed::Answer { .. }) {
            channel.write_all(OK_FRAME)?;
            channel.flush()?;
        } else if deed.perform(channel, peer, backend)? == Next::Close {
            return Ok(());
        }
    }
}
