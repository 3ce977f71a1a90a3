//! What became of verdicts that were sent to a collector.

use prometheus_client::encoding::EncodeLabelSet;

use super::{Metrics, raise};

/// Whether the collector took it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByFate {
    fate: &'static str,
}

impl Metrics {
    /// Takes how many verdicts a collector took since the start, and how many it did not. Smaller numbers than before are
    /// ignored.
    pub fn set_otlp(&self, sent: u64, dropped: u64) {
        for (fate, total) in [("sent", sent), ("dropped", dropped)] {
            raise(&self.otlp_verdicts.get_or_create(&ByFate { fate }), total);
        }
    }
}
