//! The pieces of evidence that a verdict can rest on.

use std::fmt;

use serde::{Deserialize, Serialize};

closed_enum! {
    /// What decided a verdict, and what was found beside it.
    Evidence {
        /// The peer's FIN arrived.
        FinSeen = "fin_seen",
        /// The peer's kernel acknowledged nothing of the request.
        FlightNeverAcked = "flight_never_acked",
        /// The peer's kernel acknowledged the whole request, and no response byte came after it.
        RequestAcked = "request_acked",
        /// The request was written after the FIN had arrived.
        WrittenAfterFin = "written_after_fin",
        /// The connection had carried a request before this one.
        ConnectionReused = "connection_reused",
        /// A response had begun.
        ResponseBegan = "response_began",
        /// No response byte was ever received.
        NothingReceived = "nothing_received",
        /// Nothing was outstanding.
        NothingOutstanding = "nothing_outstanding",
        /// The answer came sooner than the fastest round trip to the backend.
        SoonerThanRttMin = "sooner_than_rtt_min",
        /// The connection had been idle for about the backend's learned idle timeout.
        IdleMatchesLearnedTimeout = "idle_matches_learned_timeout",
        /// The connection had been idle for much less than the backend's learned idle timeout.
        IdleShortOfLearnedTimeout = "idle_short_of_learned_timeout",
        /// The backend's process on this host died abnormally.
        LocalProcessCrashed = "local_process_crashed",
        /// The backend's process on this host ended in good order.
        LocalProcessEnded = "local_process_ended",
        /// The backend on this host sent the reset or the FIN itself.
        LocalPeerSent = "local_peer_sent",
        /// The backend is on this host and did not send this reset.
        LocalPeerNeverSent = "local_peer_never_sent",
        /// The server refused connections right around it.
        ServerRefused = "server_refused",
        /// Several connections to the server were cut at once.
        CutTogether = "cut_together",
        /// The handshake was answered with a reset.
        HandshakeRefused = "handshake_refused",
        /// The connection was cut about one round trip after it was opened.
        CutWhenOpened = "cut_when_opened",
        /// The process that sent the reset was exiting.
        OwnerExiting = "owner_exiting",
        /// The client's connection to the same worker ended just before.
        ClientLeftBefore = "client_left_before",
        /// The kernel counted no reset on the wire: data came after close.
        DataAfterClose = "data_after_close",
        /// The request was sent again and again, and nothing came back.
        NobodyAnswered = "nobody_answered",
        /// The reset is of a live socket that its owner aborted: it acknowledges data and carries a timestamp.
        RstOfLiveSocket = "rst_of_live_socket",
        /// The reset is of a host that knows no such connection: no acknowledgement, no window, no options.
        RstOfUnknownConnection = "rst_of_unknown_connection",
        /// The reset came from another distance than the backend's own packets.
        TtlUnlikeSynAck = "ttl_unlike_syn_ack",
        /// The reset came from another distance than the server's packets on other connections.
        TtlUnlikeLearned = "ttl_unlike_learned",
        /// A reset cut this response after exactly as many bytes as others of the server.
        SizeRepeats = "size_repeats",
        /// The backend on this host closed without having read the request.
        RequestLeftUnread = "request_left_unread",
        /// nginx logged that the backend ended the connection in the middle of a response.
        LogSaysCut = "log_says_cut",
        /// nginx logged that it had waited for as long as it was told to.
        LogSaysTimedOut = "log_says_timed_out",
        /// nginx logged that the client had closed first.
        LogSaysClientLeft = "log_says_client_left",
        /// nginx logged that a request had no answer, which it wrote when the FIN of an idle connection had come.
        LogSaysUnanswered = "log_says_unanswered",
        /// nginx logged that the backend had said GOAWAY, without an error, before it took the request.
        LogSaysWentAway = "log_says_went_away",
        /// nginx logged that the backend rejected the request, for an error that it named.
        LogSaysRejected = "log_says_rejected",
        /// nginx logged that it did not accept what the backend sent.
        LogSaysResponseRefused = "log_says_response_refused",
        /// nginx closed first, with the request unanswered or the handshake incomplete.
        ClosedByProxy = "closed_by_proxy",
        /// nginx closed when one of its configured timeouts was over.
        WaitedTimeout = "waited_timeout",
        /// The handshake had no answer.
        HandshakeUnanswered = "handshake_unanswered",
        /// Other handshakes with the server had no answer either.
        ServerSilent = "server_silent",
        /// The server served a connection that was opened between two that it refused.
        ServedInBetween = "served_in_between",
        /// The out-of-memory killer chose the backend's process.
        OomKilled = "oom_killed",
    }
}
