//! A small blocking HTTP/1.1 client that keeps its connection and can send now and read later.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::namespace::Namespace;

/// How long an answer may take: longer than any timeout that a scenario gives nginx.
const PATIENCE: Duration = Duration::from_secs(15);

/// One kept connection to nginx.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body, as far as it came.
    pub body: String,
    /// Whether the body is as long as its headers announced.
    pub complete: bool,
}

impl Client {
    /// Connects to `to` from inside `net`.
    pub fn inside(net: &Namespace, to: SocketAddr) -> Result<Self> {
        Self::on(net.connect(to)?)
    }

    /// Connects to `to` from the host's own namespace.
    pub fn on_host(to: SocketAddr) -> Result<Self> {
        Self::on(TcpStream::connect(to).with_context(|| format!("cannot connect to {to}"))?)
    }

    fn on(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks for `path` and waits for the answer.
    pub fn get(&mut self, path: &str) -> Result<Response> {
        self.send("GET", path, "")?;
        self.receive()
    }

    /// Posts `body` to `path` and waits for the answer.
    pub fn post(&mut self, path: &str, body: &str) -> Result<Response> {
        self.send("POST", path, body)?;
        self.receive()
    }

    /// Sends a request without waiting; when this returns, the whole of it lies in the kernel.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: lab\r\n{length}\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes()).with_context(|| format!("cannot send {method} {path}"))
    }

    /// Waits for the answer to what was sent.
    pub fn receive(&mut self) -> Result<Response> {
        let status_line = self.line().context("no answer")?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not an HTTP answer: {status_line:?}"))?;
        let mut length = None;
        loop {
            let header = self.line()?.to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse::<u64>().ok();
            }
        }
        let mut body = Vec::new();
        let read = self.stream.by_ref().take(length.unwrap_or(u64::MAX)).read_to_end(&mut body);
        let complete = read.is_ok() && length.is_none_or(|length| u64::try_from(body.len()) == Ok(length));
        Ok(Response { status, body: String::from_utf8_lossy(&body).into_owned(), complete })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
