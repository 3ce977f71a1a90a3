//! What was joined of nginx's error log.

use prometheus_client::encoding::EncodeLabelSet;

use super::{Metrics, catalogue, raise, register};
use crate::nginx::error_log::join::JoinCounts;

/// What was found of the line that the end of a connection makes nginx write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByResult {
    result: &'static str,
}

/// Why a line of nginx's was joined to no connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByLeftOut {
    reason: &'static str,
}

impl Metrics {
    pub(super) fn register_error_log(&mut self) {
        let Self { registry, .. } = self;
        register(registry, &catalogue::ERROR_LOG_JOINS, self.error_log_joins.clone());
        register(registry, &catalogue::ERROR_LOG_LINES_LEFT, self.error_log_lines_left.clone());
        self.set_joins(&JoinCounts::default());
    }

    /// Takes what was joined since the start. A smaller number than before is ignored.
    pub fn set_joins(&mut self, counts: &JoinCounts) {
        let results = [
            ("joined", counts.own),
            ("shared", counts.shared),
            ("ambiguous", counts.ambiguous),
            ("without_line", counts.without_line),
        ];
        for (result, total) in results {
            raise(&self.error_log_joins.get_or_create(&ByResult { result }), total);
        }
        let without_connection = counts.lines_left.values().sum();
        let reasons = [
            ("without_connection", without_connection),
            ("contested", counts.contested),
            ("overflow", counts.overflow),
        ];
        for (reason, total) in reasons {
            raise(&self.error_log_lines_left.get_or_create(&ByLeftOut { reason }), total);
        }
    }
}
