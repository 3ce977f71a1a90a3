//! What each message of nginx's says.

use super::*;

#[test]
fn each_message_of_a_failed_upstream_has_its_kind() {
    use {Action as A, Kind as K};
    let header = Some(A::ReadingResponseHeader);
    let cases = [
        (
            "upstream prematurely closed connection while reading response header from upstream",
            K::PrematurelyClosed,
            None,
            header,
        ),
        (
            "upstream prematurely closed connection while reading upstream",
            K::PrematurelyClosed,
            None,
            Some(A::ReadingUpstream),
        ),
        (
            "connect() failed (111: Connection refused) while connecting to upstream",
            K::Failed,
            Some(111),
            Some(A::ConnectingToUpstream),
        ),
        (
            "connect() to 10.0.0.1:80 failed (99: Cannot assign requested address) while connecting to upstream",
            K::Failed,
            Some(99),
            Some(A::ConnectingToUpstream),
        ),
        (
            "connect() to unix:/run/app.sock failed (2: No such file or directory) while connecting to upstream",
            K::Failed,
            Some(2),
            Some(A::ConnectingToUpstream),
        ),
        (
            "writev() failed (32: Broken pipe) while sending request to upstream",
            K::Failed,
            Some(32),
            Some(A::SendingRequest),
        ),
        (
            "sendfile() failed (104: Connection reset by peer) while sending request to upstream",
            K::Failed,
            Some(104),
            Some(A::SendingRequest),
        ),
        (
            "readv() failed (104: Connection reset by peer) while reading upstream",
            K::Failed,
            Some(104),
            Some(A::ReadingUpstream),
        ),
        (
            "recv() failed (104: Connection reset by peer) while proxying upgraded connection",
            K::Failed,
            Some(104),
            Some(A::ProxyingUpgraded),
        ),
        (
            "SSL_do_handshake() failed (SSL: error:1408F10B:SSL routines:ssl3_get_record:wrong version number) while SSL handshaking to upstream",
            K::Failed,
            None,
            Some(A::TlsHandshakingToUpstream),
        ),
        (
            "SSL_read() failed (SSL: error:0A000126:SSL routines::unexpected eof) (104: Connection reset by peer) while reading upstream",
            K::Failed,
            Some(104),
            Some(A::ReadingUpstream),
        ),
        (
            "peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream",
            K::TlsPeerClosed,
            Some(104),
            Some(A::TlsHandshakingToUpstream),
        ),
        (
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            K::TimedOut,
            Some(110),
            Some(A::ConnectingToUpstream),
        ),
        ("upstream sent too big header while reading response header from upstream", K::TooBigHeader, None, header),
        (
            "upstream sent more data than specified in \"Content-Length\" header while reading upstream",
            K::MoreThanContentLength,
            None,
            Some(A::ReadingUpstream),
        ),
        (
            "upstream sent no valid HTTP/1.0 header while reading response header from upstream",
            K::NoValidHeader,
            None,
            header,
        ),
        (
            "upstream sent invalid header: \"X Y\\x3a...\" while reading response header from upstream",
            K::InvalidResponse,
            None,
            header,
        ),
        (
            "upstream sent invalid chunked response while reading upstream",
            K::InvalidResponse,
            None,
            Some(A::ReadingUpstream),
        ),
        (
            "upstream prematurely sent response while sending request to upstream",
            K::PrematureResponse,
            None,
            Some(A::SendingRequest),
        ),
        (
            "upstream rejected request with error 2 while reading response header from upstream",
            K::Rejected,
            None,
            header,
        ),
        ("upstream sent goaway with error 0 while reading response header from upstream", K::WentAway, None, header),
        ("upstream sent goaway with error 11 while reading response header from upstream", K::Rejected, None, header),
        (
            "upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream",
            K::TlsNotVerified,
            None,
            Some(A::TlsHandshakingToUpstream),
        ),
        (
            "upstream server temporarily disabled while connecting to upstream",
            K::ServerDisabled,
            None,
            Some(A::ConnectingToUpstream),
        ),
        (
            "an upstream response is buffered to a temporary file /var/lib/nginx/proxy/1/00/0000000001 while reading upstream",
            K::BufferedToFile,
            None,
            Some(A::ReadingUpstream),
        ),
        (
            "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while reading upstream",
            K::ClientClosed,
            None,
            Some(A::ReadingUpstream),
        ),
        (
            "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too (104: Connection reset by peer) while sending request to upstream",
            K::ClientClosed,
            Some(104),
            Some(A::SendingRequest),
        ),
        (
            "client timed out (110: Connection timed out) while sending to client",
            K::ClientTimedOut,
            Some(110),
            Some(A::SendingToClient),
        ),
        ("open() \"/srv/a while b\" failed (2: No such file or directory)", K::Other, Some(2), None),
    ];
    for (message, kind, errno, action) in cases {
        let line = said(message);
        assert_eq!((line.complaint.kind, line.complaint.errno), (kind, errno), "{message}");
        assert_eq!(line.action, action, "{message}");
        assert!(line.upstream.is_some() && !line.contested, "{message}");
    }
}
