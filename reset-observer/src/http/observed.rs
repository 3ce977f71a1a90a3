//! What the server shows.

use std::sync::Arc;

use crate::{
    sink::{
        clock::WallClock,
        history::{Filter, Span},
        overview::Overview,
        upstream::Upstream,
    },
    verdict::Verdict,
};

/// What the server shows. It is asked on the server's own thread, and must answer soon.
pub trait Observed: Send + Sync {
    /// All metrics as OpenMetrics text, brought up to date.
    fn open_metrics(&self) -> String;

    /// Whether [`protobuf`](Self::protobuf) is for anyone who asks for it.
    fn offers_protobuf(&self) -> bool {
        false
    }

    /// All metrics as [`PROTOBUF_CONTENT_TYPE`](crate::sink::metrics::PROTOBUF_CONTENT_TYPE), brought up to date.
    fn protobuf(&self) -> Vec<u8> {
        Vec::new()
    }

    /// `Ok` once the programs are attached.
    ///
    /// # Errors
    /// A sentence that says what is being waited for.
    fn ready(&self) -> Result<(), String>;

    /// At most `limit` of the newest verdicts, the newest first.
    fn verdicts(&self, filter: &Filter, limit: usize) -> Vec<Arc<Verdict>>;

    /// Every server whose idle timeout was learned.
    fn upstreams(&self) -> Vec<Upstream>;

    /// What the page shows.
    fn overview(&self, span: Span) -> Overview;

    /// How a verdict's time becomes time on the wall.
    fn clock(&self) -> WallClock;
}
