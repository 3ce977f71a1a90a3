//! What Alertmanager sends its alerts to.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::await_some;

/// Takes alerts until the test ends.
pub(crate) struct Webhook {
    address: SocketAddr,
    alerts: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    /// Listens at a free port of the loopback.
    pub(crate) fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&alerts);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A request that is none is Alertmanager's to send again.
                let Ok(message) = take(stream) else { continue };
                let sent = message["alerts"].as_array().cloned().unwrap_or_default();
                taken.lock().unwrap_or_else(PoisonError::into_inner).extend(sent);
            }
        });
        Ok(Self { address, alerts })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names of all that has fired up to now.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let taken = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let names = taken.iter().filter_map(|alert| alert["labels"]["alertname"].as_str());
        names.map(str::to_owned).collect()
    }

    /// Waits for an alert of this name that fires.
    pub(crate) fn wait_for(&self, alert: &str, patience: Duration) -> Result<Value> {
        let is_it = |one: &&Value| one["labels"]["alertname"] == alert && one["status"] == "firing";
        let taken = || self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = await_some(patience, || Ok(taken().iter().find(is_it).cloned()))?;
        found.with_context(|| format!("{alert} did not reach the webhook, which got {:#?}", taken()))
    }
}

fn take(stream: TcpStream) -> Result<Value> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(serde_json::from_slice(&body)?)
}
