//! The connection as the fault backend speaks on it: plain, or within TLS. Faults are done to the socket itself.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What it takes to speak TLS.
#[derive(Debug, Clone)]
pub(super) struct Security(Arc<ServerConfig>);

impl Security {
    /// From a PEM file with a key and a certificate.
    pub(super) fn load(pem: &Path) -> Result<Self> {
        let text = fs::read(pem).with_context(|| format!("cannot read {}", pem.display()))?;
        let key = PrivateKeyDer::from_pem_slice(&text).context("no private key in the file")?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        Ok(Self(Arc::new(config)))
    }
}

/// One connection.
pub(super) enum Channel {
    /// As it is.
    Plain(TcpStream),
    /// Within TLS.
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Channel {
    /// Takes an accepted connection.
    pub(super) fn accept(stream: TcpStream, security: Option<&Security>) -> Result<Self> {
        let Some(Security(config)) = security else { return Ok(Self::Plain(stream)) };
        let session = ServerConnection::new(config.clone())?;
        Ok(Self::Tls(Box::new(StreamOwned::new(session, stream))))
    }

    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(session) => session.get_ref(),
        }
    }

    /// Whether there is something to read that has left the socket already, or, before the handshake, must be awaited
    /// by reading.
    pub(super) fn has_data(&mut self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(session) => {
                session.conn.is_handshaking()
                    || session.conn.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
        }
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            // Who closes a connection that is kept without a farewell, as nginx does, has closed it all the same.
            Self::Tls(session) => match session.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Write for Channel {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(session) => session.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(session) => session.flush(),
        }
    }
}
