//! A line of an error log out of postcard's bytes, field by field: by way of what reads any type from any format it takes
//! longer than all else that a replay does with a line.
//!
//! Whatever is not as this program usually writes it is left to postcard (`None`), which reads it or says what is wrong.

use std::net::{IpAddr, SocketAddr};

use smol_str::SmolStr;

use crate::{
    nginx::error_log::{
        join::{LogId, Written},
        line::{Action, Call, Client, Complaint, Kind, Level, Line, Peer, Upstream, time_of},
    },
    record::KernelTime,
};

/// Reads what postcard wrote of these three.
pub(super) fn read(bytes: &[u8]) -> Option<(LogId, Written, Box<Line>)> {
    let mut fields = Fields(bytes);
    let log = LogId { instance: fields.number()?, file: fields.narrow()? };
    let written = Written { earliest: KernelTime(fields.number()?), latest: KernelTime(fields.number()?) };
    Some((log, written, Box::new(fields.line()?)))
}

/// What is left of the bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn line(&mut self) -> Option<Line> {
        Some(Line {
            written: time_of(self.bytes()?)?,
            level: self.one_of(Level::ALL)?,
            pid: self.narrow()?,
            connection: self.optional(Self::number)?,
            complaint: self.complaint()?,
            action: self.optional(|fields| fields.one_of(Action::ALL))?,
            client: self.optional(Self::client)?,
            server: self.optional(Self::text)?,
            request: self.optional(Self::text)?,
            subrequest: self.optional(Self::text)?,
            upstream: self.optional(Self::upstream)?,
            host: self.optional(Self::text)?,
            referrer: self.optional(Self::text)?,
            truncated: self.flag()?,
            contested: self.flag()?,
        })
    }

    fn complaint(&mut self) -> Option<Complaint> {
        let kind = self.one_of(Kind::ALL)?;
        let call = self.optional(|fields| fields.one_of(Call::ALL))?;
        let errno = self.optional(Self::signed)?;
        // The end of a process is rare.
        if self.flag()? { None } else { Some(Complaint { kind, call, errno, process: None }) }
    }

    fn client(&mut self) -> Option<Client> {
        if self.flag()? { Some(Client::Unix) } else { self.address().map(Client::Ip) }
    }

    fn upstream(&mut self) -> Option<Upstream> {
        let scheme = self.text()?;
        let peer = match self.byte()? {
            0 => Peer::Tcp(SocketAddr::new(self.address()?, self.narrow()?)),
            1 => Peer::Unix(self.text()?),
            2 => Peer::Name(self.text()?),
            3.. => return None,
        };
        Some(Upstream { scheme, peer, uri: self.text()? })
    }

    fn address(&mut self) -> Option<IpAddr> {
        Some(if self.flag()? { IpAddr::from(*self.array::<16>()?) } else { IpAddr::from(*self.array::<4>()?) })
    }

    fn text(&mut self) -> Option<SmolStr> {
        str::from_utf8(self.bytes()?).ok().map(SmolStr::new)
    }

    /// After their number.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.narrow()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    /// One of the values of an enum, by its place among them.
    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::from(self.byte()?)).copied()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            2.. => None,
        }
    }

    /// Numbers of either sign in turns: 0, -1, 1, -2...
    fn signed(&mut self) -> Option<i32> {
        let number: u32 = self.narrow()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Option<T> {
        self.number()?.try_into().ok()
    }

    /// Seven bits in each byte, the lowest first; in no more bytes than it takes.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f) << (7 * place);
            if bits >> (7 * place) != u64::from(byte & 0x7f) || (byte == 0 && place > 0) {
                return None;
            }
            number |= bits;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| *byte)
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }
}

#[cfg(test)]
mod tests;
