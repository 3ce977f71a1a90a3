//! Values of closed enums, whose names need no escape.

use super::value::Value;
use crate::{
    container::Runtime,
    record::TcpState,
    verdict::{Cause, Confidence, Evidence, Impact, Leg, Role, RstFlags, Signal, WouldRaise},
};

/// Room for the longest name with its quotation marks.
const ROOM: usize = 40;

/// A name in quotation marks, with room behind it: all of it goes into a line at once, which takes less time than to copy
/// as many bytes as it has.
#[derive(Clone, Copy)]
struct Quoted {
    bytes: [u8; ROOM],
    len: usize,
}

impl Quoted {
    const fn of(name: &str) -> Self {
        let (name, mut bytes) = (name.as_bytes(), [b'"'; ROOM]);
        let mut at = 0;
        while at < name.len() {
            assert!(name[at] != b'"' && name[at] != b'\\' && name[at] >= b' ', "it needs no escape");
            bytes[at + 1] = name[at];
            at += 1;
        }
        Self { bytes, len: name.len() + 2 }
    }

    fn write(&self, line: &mut Vec<u8>) {
        let end = line.len() + self.len;
        line.extend_from_slice(&self.bytes);
        line.truncate(end);
    }
}

/// Implements [`Value`] for enums that list their values in the order of their numbers.
macro_rules! listed {
    ($($type:ty),+) => { $(
        impl Value for $type {
            fn write(&self, line: &mut Vec<u8>) {
                const NAMES: [Quoted; <$type>::ALL.len()] = {
                    let mut names = [Quoted::of(""); <$type>::ALL.len()];
                    let mut index = 0;
                    while index < names.len() {
                        let value = <$type>::ALL[index];
                        names[value as usize] = Quoted::of(value.as_str());
                        index += 1;
                    }
                    names
                };
                NAMES[*self as usize].write(line);
            }
        }
    )+ };
}

listed!(Cause, Confidence, Impact, Signal, Leg, Evidence, WouldRaise, RstFlags);

/// Implements [`Value`] for other enums.
macro_rules! named {
    ($($type:ident { $($value:ident = $name:literal),+ })+) => { $(
        impl Value for $type {
            fn write(&self, line: &mut Vec<u8>) {
                match self { $(Self::$value => line.extend_from_slice(concat!("\"", $name, "\"").as_bytes()),)+ }
            }
        }
    )+ };
}

named! {
    Role { Master = "master", Worker = "worker", Cache = "cache", Other = "other" }
    Runtime { Containerd = "containerd", CriO = "cri-o", Docker = "docker", Podman = "podman", Lxc = "lxc" }
    TcpState {
        Established = "ESTABLISHED", SynSent = "SYN_SENT", SynRecv = "SYN_RECV", FinWait1 = "FIN_WAIT1",
        FinWait2 = "FIN_WAIT2", TimeWait = "TIME_WAIT", Close = "CLOSE", CloseWait = "CLOSE_WAIT", LastAck = "LAST_ACK",
        Listen = "LISTEN", Closing = "CLOSING", NewSynRecv = "NEW_SYN_RECV"
    }
}
