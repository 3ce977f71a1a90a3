//! Addresses as nginx reads them, in `server`, `listen` and the directives that pass requests on ([source]).
//!
//! [source]: https://github.com/nginx/nginx/blob/release-1.29.7/src/core/ngx_inet.c

use std::{
    ffi::OsStr,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
};

use super::value;

/// Where a server or a listening socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// An address as written.
    Address(SocketAddr),
    /// A host name, which nginx looks up itself.
    Name {
        /// The name.
        host: String,
        /// Its port; `None` if it is found by a look-up too (`service=`), or not said.
        port: Option<u16>,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name { host, port: Some(port) } => write!(f, "{host}:{port}"),
            Self::Name { host, port: None } => write!(f, "{host}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The server that `text` names: `10.0.0.1`, `10.0.0.1:8080`, `[::1]:8080`, `name:8080`, `unix:/path`; `default_port`
/// counts where none is written.
///
/// # Errors
///
/// What nginx says about it.
pub fn server(text: &[u8], default_port: Option<u16>) -> Result<Endpoint, &'static str> {
    if let Some(path) = unix(text) {
        return socket(path);
    }
    let (host, port) = split(text)?;
    let port = port.map(parse_port).transpose()?.or(default_port);
    match (address(host)?, port) {
        (Some(ip), Some(port)) => Ok(Endpoint::Address(SocketAddr::new(ip, port))),
        (_, port) => Ok(Endpoint::Name { host: String::from_utf8_lossy(host).into_owned(), port }),
    }
}

/// The server in the URL of a directive that passes requests on, without its scheme: as [`server`], up to the path.
///
/// # Errors
///
/// What nginx says about it.
pub fn server_in_url(text: &[u8], default_port: Option<u16>) -> Result<Endpoint, &'static str> {
    let end = if let Some(path) = unix(text) {
        path.iter().position(|byte| *byte == b':').map(|colon| colon + b"unix:".len())
    } else {
        text.iter().position(|byte| matches!(byte, b'/' | b'?'))
    };
    server(&text[..end.unwrap_or(text.len())], default_port)
}

/// Where `listen` listens: an endpoint, and its ports if they are a range.
///
/// # Errors
///
/// What nginx says about it.
pub fn listen(text: &[u8]) -> Result<(Endpoint, RangeInclusive<u16>), &'static str> {
    if let Some(path) = unix(text) {
        return Ok((socket(path)?, 0..=0));
    }
    if text.first() != Some(&b'[')
        && !text.contains(&b':')
        && let Some(ports) = port_range(text)?
    {
        return Ok((Endpoint::Address((Ipv4Addr::UNSPECIFIED, *ports.start()).into()), ports));
    }
    let (host, port) = split(text)?;
    let ports = match port {
        Some(port) => port_range(port)?.ok_or("invalid port")?,
        None => 80..=80,
    };
    let ip = if host == b"*" { Some(Ipv4Addr::UNSPECIFIED.into()) } else { address(host)? };
    let endpoint = match ip {
        Some(ip) => Endpoint::Address(SocketAddr::new(ip, *ports.start())),
        None => Endpoint::Name { host: String::from_utf8_lossy(host).into_owned(), port: Some(*ports.start()) },
    };
    Ok((endpoint, ports))
}

fn unix(text: &[u8]) -> Option<&[u8]> {
    let (scheme, path) = text.split_at_checked(b"unix:".len())?;
    scheme.eq_ignore_ascii_case(b"unix:").then_some(path)
}

fn socket(path: &[u8]) -> Result<Endpoint, &'static str> {
    if path.is_empty() {
        return Err("no path in the unix domain socket");
    }
    Ok(Endpoint::Unix(PathBuf::from(OsStr::from_bytes(path))))
}

/// The host, with the brackets of an IPv6 address, and the port.
fn split(text: &[u8]) -> Result<(&[u8], Option<&[u8]>), &'static str> {
    let colon = if text.first() == Some(&b'[') {
        let end = text.iter().position(|byte| *byte == b']').ok_or("invalid host")?;
        match text.get(end + 1) {
            None => None,
            Some(b':') => Some(end + 1),
            Some(_) => return Err("invalid host"),
        }
    } else {
        text.iter().position(|byte| *byte == b':')
    };
    let (host, port) = colon.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    if text.contains(&b'/') { Err("invalid host") } else { Ok((host, port)) }
}

/// The address that `host` is, if it is none but a name.
fn address(host: &[u8]) -> Result<Option<IpAddr>, &'static str> {
    if host.is_empty() || host == b"[]" {
        return Err("no host");
    }
    if let [b'[', inner @ .., b']'] = host {
        let ip = str::from_utf8(inner).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        return ip.map(|ip| Some(ip.into())).ok_or("invalid IPv6 address");
    }
    Ok(ipv4(host).map(IpAddr::from))
}

/// nginx takes leading zeros for decimal, and an empty octet for 0.
fn ipv4(host: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = host.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        *octet = if part.is_empty() { 0 } else { u8::try_from(value::number(part)?).ok()? };
    }
    (parts.next().is_none() && host.len() >= 4).then(|| octets.into())
}

fn parse_port(text: &[u8]) -> Result<u16, &'static str> {
    let port = value::number(text).and_then(|port| u16::try_from(port).ok());
    port.filter(|port| *port > 0).ok_or("invalid port")
}

/// A port or `FIRST-LAST`; `None` if the text is none of both.
fn port_range(text: &[u8]) -> Result<Option<RangeInclusive<u16>>, &'static str> {
    let dash = text.iter().position(|byte| *byte == b'-');
    let (first, last) = dash.map_or((text, text), |at| (&text[..at], &text[at + 1..]));
    if value::number(first).is_none() || value::number(last).is_none() {
        return Ok(None);
    }
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    if first > last { Err("invalid port range") } else { Ok(Some(first..=last)) }
}

#[cfg(test)]
mod tests;
