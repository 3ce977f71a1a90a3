//! The domain's names and numbers as an engineer would say them.

use std::time::Duration;

use crate::verdict::{Evidence, Impact, WouldRaise};

/// What a piece of evidence means, as part of a sentence.
pub(crate) const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::FinSeen => "the backend's FIN arrived",
        Evidence::FlightNeverAcked => "the backend's kernel acknowledged nothing of the request",
        Evidence::RequestAcked => "the backend's kernel acknowledged the whole request, and no response followed",
        Evidence::WrittenAfterFin => "nginx wrote the request after the FIN had arrived",
        Evidence::ConnectionReused => "the connection had carried a request before",
        Evidence::ResponseBegan => "a response had begun",
        Evidence::NothingReceived => "no response byte was ever received",
        Evidence::NothingOutstanding => "no request was outstanding",
        Evidence::SoonerThanRttMin => "the answer came sooner than the fastest round trip to the backend",
        Evidence::IdleMatchesLearnedTimeout => "the connection had been idle for the backend's learned idle timeout",
        Evidence::IdleShortOfLearnedTimeout => "the connection had been idle for less than the backend's idle timeout",
        Evidence::LocalProcessCrashed => "the backend's process on this host crashed",
        Evidence::LocalProcessEnded => "the backend's process on this host ended in good order",
        Evidence::LocalPeerSent => "the backend on this host sent it itself",
        Evidence::LocalPeerNeverSent => "the backend is on this host and did not send it",
        Evidence::ServerRefused => "the server refused connections right around it",
        Evidence::CutTogether => "several connections to the server were cut at once",
        Evidence::HandshakeRefused => "the handshake was answered with a reset",
        Evidence::CutWhenOpened => "the connection was cut as soon as it was opened",
        Evidence::OwnerExiting => "the process that sent the reset was exiting",
        Evidence::ClientLeftBefore => "the client had left just before",
        Evidence::DataAfterClose => "the reset answers data that came after the close",
        Evidence::NobodyAnswered => "the request was sent again and again, and nothing came back",
        Evidence::RstOfLiveSocket => "the reset is a live socket's, aborted by its owner",
        Evidence::RstOfUnknownConnection => "the reset is of a host that knew no such connection",
        Evidence::TtlUnlikeSynAck => "the reset came from another distance than the backend's own packets",
        Evidence::TtlUnlikeLearned => "the reset came from another distance than the server's packets otherwise do",
        Evidence::SizeRepeats => "other responses of the server were cut after exactly as many bytes",
        Evidence::RequestLeftUnread => "the backend on this host closed without having read the request",
        Evidence::LogSaysCut => "nginx logged that the response was cut in the middle",
        Evidence::LogSaysTimedOut => "nginx logged that it had waited for as long as it was told to",
        Evidence::LogSaysClientLeft => "nginx logged that the client had closed first",
        Evidence::LogSaysUnanswered => "nginx logged that a request written after the FIN had no answer",
        Evidence::LogSaysWentAway => "nginx logged that the backend had said GOAWAY before it took the request",
        Evidence::LogSaysRejected => "nginx logged that the backend rejected the request",
        Evidence::LogSaysResponseRefused => "nginx logged that it did not accept what the backend sent",
        Evidence::ClosedByProxy => "nginx closed first, with the request or the handshake unanswered",
        Evidence::WaitedTimeout => "one of nginx's configured timeouts was over just then",
        Evidence::HandshakeUnanswered => "the handshake had no answer",
        Evidence::ServerSilent => "other handshakes with the server had no answer either",
        Evidence::ServedInBetween => "the server served a connection opened between two that it refused",
        Evidence::OomKilled => "the out-of-memory killer chose the backend's process",
    }
}

/// What would have raised the confidence, as part of a sentence.
pub(crate) const fn would_raise(would: WouldRaise) -> &'static str {
    match would {
        WouldRaise::ResetPacket => "a look at the reset packet",
        WouldRaise::ErrorLog => "nginx's error log",
        WouldRaise::Configuration => "nginx's configuration",
        WouldRaise::LearnedIdleTimeout => "the backend's idle timeout, once learned",
        WouldRaise::BackendHost => "the backend's own end, which only its host sees",
        WouldRaise::LongerSettle => "a longer --settle",
        WouldRaise::ClientSide => "the clients' connections in view",
        WouldRaise::SeenFromTheStart => "the connection's opening in view",
    }
}

/// What became of the request, in one word.
pub(super) const fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::RequestFailed => "failed",
        Impact::RequestRetried => "retried",
        Impact::None => "harmless",
        Impact::Unknown => "unknown",
    }
}

/// A number of milliseconds with three significant digits: `250 us`, `3.53 s`, `4.0 min`. Negative ones are zero.
pub(crate) fn milliseconds(ms: f64) -> String {
    duration(Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default())
}

/// A duration with about three significant digits and its unit.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 999.5e-6 {
        format!("{:.0} us", seconds * 1e6)
    } else if seconds < 0.9995 {
        format!("{} ms", digits(seconds * 1e3))
    } else if seconds < 99.95 {
        format!("{} s", digits(seconds))
    } else if seconds < 5999.5 {
        format!("{:.1} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

fn digits(number: f64) -> String {
    if number < 9.995 {
        format!("{number:.2}")
    } else if number < 99.95 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_that_suits_its_size() {
        let said = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(said(0.0), "0 us");
        assert_eq!(said(0.000_120), "120 us");
        assert_eq!(said(0.003_532), "3.53 ms");
        assert_eq!(said(0.250), "250 ms");
        assert_eq!(said(0.999_9), "1.00 s");
        assert_eq!(said(3.532), "3.53 s");
        assert_eq!(said(60.0), "60.0 s");
        assert_eq!(said(240.0), "4.0 min");
        assert_eq!(said(7200.0), "2.0 h");
    }

    #[test]
    fn a_negative_or_broken_number_is_no_panic() {
        assert_eq!(milliseconds(-1.0), "0 us");
        assert_eq!(milliseconds(f64::NAN), "0 us");
    }
}
