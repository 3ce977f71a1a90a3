//! A logarithmic scale of times, for pictures.

/// Where a time stands on the scale between these, in per cent; at an end what lies beyond it.
pub(super) fn position(ms: f64, from_ms: f64, to_ms: f64) -> f64 {
    let position = (ms / from_ms).ln() / (to_ms / from_ms).ln() * 100.0;
    if position.is_nan() { 0.0 } else { position.clamp(0.0, 100.0) }
}
