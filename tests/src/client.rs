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
    /// The least that each request has as its body, in bytes.
    least_body: usize,
}

/// Status, length of what follows, and how a gRPC call ended if that is known before its body.
struct Head {
    status: u16,
    length: Length,
    grpc_status: Option<u16>,
}

/// How the length of a body is told.
enum Length {
    Bytes(u64),
    Chunked,
    Unsaid,
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
    /// How a gRPC call ended, if it was one and came to its end.
    pub grpc_status: Option<u16>,
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
        Ok(Self { stream: BufReader::new(stream), least_body: 0 })
    }

    /// With so many bytes as the body of each request at least; a GET becomes a POST by that.
    pub fn with_least_body(self, bytes: usize) -> Self {
        Self { least_body: bytes, ..self }
    }

    /// The connection itself.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Asks to speak something else from here on, and waits for the answer, which is 101 if that is granted.
    pub fn upgrade(&mut self, path: &str) -> Result<u16> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        Ok(self.head()?.status)
    }

    /// Sends a short text frame (RFC 6455) and waits for one, or for the end: false if that came.
    pub fn exchange(&mut self) -> Result<bool> {
        // Masked with zeroes, which leaves the text as it is.
        self.stream.get_mut().write_all(b"\x81\x82\0\0\0\0hi")?;
        Ok(self.stream.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0))
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
        let padded = body.to_owned() + &"x".repeat(self.least_body.saturating_sub(body.len()));
        let method = if padded.is_empty() { method } else { "POST" };
        let length = if padded.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", padded.len()) };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: lab\r\n{length}\r\n{padded}");
        self.stream.get_mut().write_all(request.as_bytes()).with_context(|| format!("cannot send {method} {path}"))
    }

    /// Calls a method of the lab's gRPC service with a short message, and waits for the answer.
    pub fn call(&mut self, method: &str) -> Result<Response> {
        self.send_call(method)?;
        self.receive()
    }

    /// The same without waiting. It comes to nginx by HTTP/1.1, which hands it on by HTTP/2.
    pub fn send_call(&mut self, method: &str) -> Result<()> {
        // A message is preceded by whether it is compressed, and by its length in four bytes.
        let message = "\0\0\0\0\x02hi";
        let request = format!(
            "POST /lab.Lab/{method} HTTP/1.1\r\nHost: lab\r\nContent-Type: application/grpc\r\nTE: trailers\r\n\
             Content-Length: {}\r\n\r\n{message}",
            message.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).with_context(|| format!("cannot call {method}"))
    }

    /// Waits for the first bytes of the answer to what was sent, and leaves them to [`Client::receive`].
    pub fn wait_for_answer(&mut self) -> Result<()> {
        Ok(self.stream.fill_buf().map(drop)?)
    }

    /// Waits for the answer to what was sent.
    pub fn receive(&mut self) -> Result<Response> {
        let Head { status, length, mut grpc_status } = self.head()?;
        let mut body = Vec::new();
        let complete = match length {
            Length::Bytes(length) => {
                let read = self.stream.by_ref().take(length).read_to_end(&mut body);
                read.is_ok() && u64::try_from(body.len()) == Ok(length)
            }
            Length::Chunked => {
                let end = self.chunks(&mut body).unwrap_or(None);
                grpc_status = grpc_status.or_else(|| end.as_deref().and_then(grpc_status_in));
                end.is_some()
            }
            Length::Unsaid => self.stream.read_to_end(&mut body).is_ok(),
        };
        Ok(Response { status, body: String::from_utf8_lossy(&body).into_owned(), complete, grpc_status })
    }

    fn head(&mut self) -> Result<Head> {
        let status_line = self.line().context("no answer")?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not an HTTP answer: {status_line:?}"))?;
        let headers = self.headers()?;
        let mut length = Length::Unsaid;
        for header in &headers {
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().map_or(Length::Unsaid, Length::Bytes);
            } else if header.starts_with("transfer-encoding:") && header.ends_with("chunked") {
                length = Length::Chunked;
            }
        }
        Ok(Head { status, length, grpc_status: grpc_status_in(&headers) })
    }

    /// Headers or trailers until the empty line that ends them, in lower case.
    fn headers(&mut self) -> Result<Vec<String>> {
        let mut headers = Vec::new();
        loop {
            let header = self.line()?.to_ascii_lowercase();
            if header.is_empty() {
                return Ok(headers);
            }
            headers.push(header);
        }
    }

    /// The trailers behind the last chunk, if that came.
    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<Option<Vec<String>>> {
        loop {
            let Ok(size) = u64::from_str_radix(&self.line()?, 16) else { return Ok(None) };
            if size == 0 {
                return self.headers().map(Some);
            }
            if self.stream.by_ref().take(size).read_to_end(body)? as u64 != size {
                return Ok(None);
            }
            self.line()?;
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

fn grpc_status_in(headers: &[String]) -> Option<u16> {
    headers.iter().find_map(|header| header.strip_prefix("grpc-status:")?.trim().parse().ok())
}
