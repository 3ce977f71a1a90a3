//! What nginx's error log says.

use super::Facts;
use crate::{
    classify::backend::in_use,
    correlate::Logged,
    nginx::error_log::{
        impact::{FailedTry, impact},
        line::{Action, Kind},
    },
    record::LastPayload,
    verdict::Impact,
};

impl Facts<'_> {
    /// What the line, or all the lines that it may be, complain of.
    fn logged_kind(&self) -> Option<Kind> {
        let Logged::Line(line) = &self.case.logged else { return None };
        line.kind
    }

    /// The log is read, and nginx wrote no line.
    pub(in crate::classify) fn log_says_nothing(&self) -> bool {
        self.case.logged == Logged::Nothing
    }

    /// nginx logged that one of its timeouts was over.
    pub(in crate::classify) fn log_says_timed_out(&self) -> bool {
        self.logged_kind() == Some(Kind::TimedOut)
    }

    /// nginx logged that the client had closed.
    pub(in crate::classify) fn log_says_client_left(&self) -> bool {
        matches!(self.logged_kind(), Some(Kind::ClientClosed | Kind::ClientTimedOut))
    }

    /// nginx logged that the backend had said GOAWAY, without an error, before it took the request.
    pub(in crate::classify) fn log_says_went_away(&self) -> bool {
        self.logged_kind() == Some(Kind::WentAway)
    }

    /// nginx logged that the backend rejected the request, for an error that it named.
    pub(in crate::classify) fn log_says_rejected(&self) -> bool {
        self.logged_kind() == Some(Kind::Rejected)
    }

    /// nginx logged that it did not accept what the backend sent.
    pub(in crate::classify) fn log_says_response_refused(&self) -> bool {
        use Kind as K;
        match self.logged_kind() {
            Some(K::TooBigHeader | K::MoreThanContentLength | K::NoValidHeader | K::InvalidResponse) => true,
            Some(K::PrematureResponse | K::TlsNotVerified) => true,
            Some(K::Rejected | K::WentAway) => false,
            Some(K::Failed | K::PrematurelyClosed | K::TimedOut | K::TlsPeerClosed | K::NoLiveUpstreams) => false,
            Some(K::ServerDisabled | K::BufferedToFile | K::ClientClosed | K::KeepaliveClosed) => false,
            Some(K::ClientTimedOut | K::ProcessEnded | K::Other) | None => false,
        }
    }

    /// nginx logged that the backend ended the connection in the middle of a response; over HTTP/2, where it says something
    /// before it answers, also that it did so before the response.
    pub(in crate::classify) fn log_says_cut(&self) -> bool {
        let Logged::Line(line) = &self.case.logged else { return false };
        // What lay idle without HTTP/2 had said nothing before it answered.
        let may_speak_first = line.over_http2 || !self.nothing_unacked();
        let cut = |action: Action| {
            action.after_response_header()
                || (action == Action::ReadingResponseHeader && may_speak_first && self.spoke_before_it_answered())
        };
        matches!(line.kind, Some(Kind::PrematurelyClosed | Kind::Failed)) && line.action.is_some_and(cut)
    }

    /// The FIN was that of an idle connection, and nginx logged that a request on it had no answer: it was written when the
    /// FIN had come. Right after payload it may have been written before that, but over TLS, where that was a farewell.
    pub(in crate::classify) fn request_unseen(&self) -> bool {
        let Logged::Line(line) = &self.case.logged else { return false };
        let ended = matches!(line.kind, Some(Kind::PrematurelyClosed | Kind::Failed));
        let unanswered = line.action.is_some_and(Action::before_response);
        let logged = ended && unanswered && !line.over_http2;
        logged
            && self.fin_seen()
            && !self.reset_received()
            && self.response_began()
            && self.nothing_unacked()
            && (self.tls() == Some(true) || !in_use(self))
    }

    /// The server's farewell came, after which nginx closed, when a request had been on its way for less than a round trip,
    /// and nginx logged that the request had no answer: it had been sent before the farewell came, and not because of it.
    pub(in crate::classify) fn farewell_met_request(&self) -> bool {
        let Logged::Line(line) = &self.case.logged else { return false };
        let unanswered = line.action.is_some_and(Action::before_response);
        let logged = line.kind == Some(Kind::PrematurelyClosed) && unanswered && !line.over_http2;
        let crossed = self.snapshot.is_some_and(|snapshot| {
            let sent = snapshot.since_last_send.zip(snapshot.rtt_min);
            snapshot.last_payload == Some(LastPayload::Received) && sent.is_some_and(|(since, rtt)| since < rtt)
        });
        let closed = self.case.connection.abandoned().is_some() && !self.fin_seen();
        logged && closed && crossed && self.flight_never_acked()
    }

    /// Payload came after the request, which TLS would explain otherwise.
    fn spoke_before_it_answered(&self) -> bool {
        let tls = self.case.connection.settings().and_then(|settings| settings.tls);
        self.response_began() && tls != Some(true)
    }

    /// What nginx did with the request, by its log and its configuration.
    pub(super) fn logged_impact(&self) -> Option<Impact> {
        let Logged::Line(line) = &self.case.logged else { return None };
        let failed = FailedTry {
            kind: line.kind?,
            action: line.action,
            method: line.method.as_deref(),
            reused: match () {
                () if self.request_unseen() => (self.tls() != Some(true)).then_some(true),
                () if self.reused() => self.reuse(),
                () => Some(false),
            },
            // Of several lines that may be its own, none tells how often this request failed.
            failed_before: (line.candidates == 1).then_some(line.failed_before),
            later: line.later,
        };
        let told = self.case.connection.settings().and_then(|settings| settings.next_upstream);
        let impact = impact(failed, &told.unwrap_or_default());
        // Without the configuration, whether it was tried again is a guess.
        (told.is_some() || impact == Impact::RequestFailed && line.action?.after_response_header()).then_some(impact)
    }
}
