//! What would have raised a verdict's confidence.

use std::fmt;

use serde::{Deserialize, Serialize};

closed_enum! {
    /// What was not known, and would have made the verdict surer, or another.
    WouldRaise {
        /// A look at the reset packet itself: its flags and its distance.
        ResetPacket = "reset_packet",
        /// nginx's error log, or a line in it that is this connection's beyond doubt.
        ErrorLog = "error_log",
        /// nginx's configuration: which timeouts count for this server.
        Configuration = "configuration",
        /// The backend's idle timeout, which a few clean closes teach.
        LearnedIdleTimeout = "learned_idle_timeout",
        /// The backend's own end, which only its host sees.
        BackendHost = "backend_host",
        /// More time for what may still come, such as a refusal.
        LongerSettle = "longer_settle",
        /// The connections of nginx's clients.
        ClientSide = "client_side",
        /// The opening of the connection, before the observer began.
        SeenFromTheStart = "seen_from_the_start",
    }
}
