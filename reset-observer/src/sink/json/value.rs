//! JSON written straight into a line, byte for byte as `serde_json` would: for what is written so often that its time
//! counts, which is verdicts.

use std::sync::Arc;

use serde::Serialize;
use smallvec::{Array, SmallVec};
use smol_str::SmolStr;

use crate::verdict::VerdictId;

/// What can be written into a line.
pub(super) trait Value {
    /// Appends it.
    fn write(&self, line: &mut Vec<u8>);
}

/// Implements [`Value`] for structs: all their fields in the order in which they stand in the contract, but those after
/// `skip`. A field that is left out here does not compile, and one at another place fails a test.
macro_rules! objects {
    ($($type:ident { $first:ident $(, $field:ident)* } $(skip $skipped:ident)?;)+) => { $(
        impl Value for $type {
            fn write(&self, line: &mut Vec<u8>) {
                let Self { $first $(, $field)* $(, $skipped: _)? } = self;
                line.extend_from_slice(concat!("{\"", stringify!($first), "\":").as_bytes());
                $first.write(line);
                $(
                    line.extend_from_slice(concat!(",\"", stringify!($field), "\":").as_bytes());
                    $field.write(line);
                )*
                line.push(b'}');
            }
        }
    )+ };
}

pub(super) use objects;

pub(super) fn by_serde<T: Serialize + ?Sized>(value: &T, line: &mut Vec<u8>) {
    serde_json::to_writer(line, value).expect("numbers and texts can be written, and there is always room in a vector");
}

impl Value for f64 {
    fn write(&self, line: &mut Vec<u8>) {
        by_serde(self, line);
    }
}

fn quoted(text: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    line.extend_from_slice(text);
    line.push(b'"');
}

impl Value for VerdictId {
    fn write(&self, line: &mut Vec<u8>) {
        quoted(&self.digits(), line);
    }
}

impl Value for str {
    fn write(&self, line: &mut Vec<u8>) {
        // Not `any`: without an early end many bytes are looked at in one instruction.
        let escaped = self.bytes().fold(false, |found, byte| found | matches!(byte, 0..=0x1f | b'"' | b'\\'));
        if escaped { by_serde(self, line) } else { quoted(self.as_bytes(), line) }
    }
}

impl Value for String {
    fn write(&self, line: &mut Vec<u8>) {
        self.as_str().write(line);
    }
}

impl Value for SmolStr {
    fn write(&self, line: &mut Vec<u8>) {
        self.as_str().write(line);
    }
}

impl<T: Value + ?Sized> Value for Arc<T> {
    fn write(&self, line: &mut Vec<u8>) {
        T::write(self, line);
    }
}

impl<T: Value> Value for Option<T> {
    fn write(&self, line: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(line),
            None => line.extend_from_slice(b"null"),
        }
    }
}

impl<A: Array<Item: Value>> Value for SmallVec<A> {
    fn write(&self, line: &mut Vec<u8>) {
        line.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            value.write(line);
        }
        line.push(b']');
    }
}
