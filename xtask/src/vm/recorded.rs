//! Recordings that the lab made inside of a virtual machine.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;

/// One recording, as it comes by the serial line.
#[derive(Debug, Deserialize)]
struct Recording {
    name: String,
    /// In base 64.
    bytes: String,
    /// What the observer said live.
    live: String,
}

/// Those of one machine.
#[derive(Debug, Default)]
pub(super) struct Recorded(Vec<Recording>);

impl Recorded {
    /// Takes one line of the lab's, if it is a recording.
    pub(super) fn take(&mut self, line: &Value) {
        if line["type"] == "recording" {
            self.0.extend(Recording::deserialize(line));
        }
    }

    /// Writes them and what was said live into a directory, each under the name of its kernel.
    pub(super) fn keep(&self, directory: &Path, kernel: &str) -> Result<()> {
        for Recording { name, bytes, live } in &self.0 {
            let file = directory.join(format!("linux-{kernel}-{name}.rec"));
            let bytes = BASE64_STANDARD.decode(bytes).with_context(|| format!("{name} came damaged"))?;
            fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
            fs::write(file.with_extension("jsonl"), live)?;
        }
        println!("{} recordings of Linux {kernel} are kept", self.0.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_recording_is_kept_under_the_name_of_its_kernel_with_what_was_said_live() {
        let directory = tempfile::tempdir().unwrap();
        let mut recorded = Recorded::default();
        recorded.take(&json!({ "type": "end" }));
        recorded.take(&json!({ "type": "recording", "name": "refused-ipv4", "bytes": "cmVj", "live": "said\n" }));
        recorded.keep(directory.path(), "6.1").unwrap();
        let file = directory.path().join("linux-6.1-refused-ipv4.rec");
        assert_eq!(fs::read(&file).unwrap(), b"rec");
        assert_eq!(fs::read_to_string(file.with_extension("jsonl")).unwrap(), "said\n");
    }

    #[test]
    fn a_recording_that_came_damaged_is_refused_by_name() {
        let mut recorded = Recorded::default();
        recorded.take(&json!({ "type": "recording", "name": "refused-ipv4", "bytes": "?", "live": "" }));
        let error = recorded.keep(Path::new("/nowhere"), "6.1").unwrap_err();
        assert_eq!(error.to_string(), "refused-ipv4 came damaged");
    }
}
