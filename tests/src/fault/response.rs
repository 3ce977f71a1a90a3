//! Responses, whole or cut short.

use std::io::Write;

use anyhow::Result;

/// How the end of a response is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Framing {
    /// By its length.
    Length,
    /// By its last chunk.
    Chunked,
    /// By the end of the connection, as in HTTP/1.0.
    Close,
}

impl Framing {
    /// Writes a response that announces so many bytes and holds `body`, which may be less.
    pub(super) fn respond(self, to: &mut impl Write, announced: usize, body: &[u8]) -> Result<()> {
        let mut response = match self {
            Self::Length => format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n"),
            Self::Chunked => format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{announced:x}\r\n"),
            Self::Close => "HTTP/1.0 200 OK\r\n\r\n".to_owned(),
        }
        .into_bytes();
        response.extend_from_slice(body);
        if self == Self::Chunked && body.len() == announced {
            response.extend_from_slice(b"\r\n0\r\n\r\n");
        }
        to.write_all(&response)?;
        Ok(to.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(framing: Framing, announced: usize, body: &[u8]) -> String {
        let mut response = Vec::new();
        framing.respond(&mut response, announced, body).unwrap();
        String::from_utf8(response).unwrap()
    }

    #[test]
    fn a_whole_response_in_chunks_ends_with_the_last_chunk_and_a_cut_one_does_not() {
        assert!(written(Framing::Chunked, 3, b"ok\n").ends_with("\r\n\r\n3\r\nok\n\r\n0\r\n\r\n"));
        assert!(written(Framing::Chunked, 9, b"ok\n").ends_with("9\r\nok\n"));
    }

    #[test]
    fn a_response_that_ends_with_the_connection_announces_nothing() {
        assert_eq!(written(Framing::Close, 9, b"ok\n"), "HTTP/1.0 200 OK\r\n\r\nok\n");
    }
}
