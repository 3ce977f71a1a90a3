//! Lines: objects with what stands at the start of each.

use serde::Serialize;

use super::{SCHEMA, value::Value as _};
use crate::{
    record::KernelTime,
    sink::clock::{Stamp, WallClock},
    verdict::Verdict,
};

/// Appends lines to a buffer, without their ends.
#[derive(Debug)]
pub(crate) struct Lines {
    stamp: Stamp,
}

impl Lines {
    /// With times by `clock`.
    pub(crate) fn new(clock: WallClock) -> Self {
        Self { stamp: Stamp::new(clock) }
    }

    /// Appends a verdict.
    pub(crate) fn verdict(&mut self, verdict: &Verdict, out: &mut Vec<u8>) {
        let body_at = self.begin("verdict", verdict.at, out);
        verdict.write(out);
        join(body_at, out);
    }

    /// Appends anything else that is an object with something in it.
    ///
    /// # Errors
    /// If it has a map whose keys are no strings.
    pub(super) fn object<T: Serialize>(
        &mut self,
        kind: &'static str,
        at: KernelTime,
        body: &T,
        out: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        let body_at = self.begin(kind, at, out);
        serde_json::to_writer(&mut *out, body)?;
        join(body_at, out);
        Ok(())
    }

    /// Appends what comes before the body, and says where that begins.
    fn begin(&mut self, kind: &'static str, at: KernelTime, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"schema\":");
        SCHEMA.write(out);
        out.extend_from_slice(b",\"time\":\"");
        self.stamp.write(at, out);
        out.push(b'"');
        out.len()
    }
}

/// Makes one object of the start of a line and its body: what the body begins with becomes what parts the two.
fn join(body_at: usize, out: &mut [u8]) {
    out[body_at] = b',';
}
