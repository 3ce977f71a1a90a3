//! What nginx appends to each message of a connection: client, server, request, upstream, host and referrer.

use smol_str::SmolStr;

use super::{
    Client,
    bytes::{cut, find, rfind, shown},
    upstream::Upstream,
};

const CLIENT: &[u8] = b"client: ";
const SERVER: &[u8] = b", server: ";
const UPSTREAM: &[u8] = b", upstream: \"";

/// The quoted parts, in nginx's order.
const QUOTED: [&[u8]; 5] = [b", request: \"", b", subrequest: \"", UPSTREAM, b", host: \"", b", referrer: \""];

/// What follows the last part in a line of the `stream` module.
const STREAM_BYTES: &[u8] = b", bytes from/to client:";

/// The parts that a line has.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) client: Option<Client>,
    pub(super) server: Option<SmolStr>,
    pub(super) request: Option<SmolStr>,
    pub(super) subrequest: Option<SmolStr>,
    pub(super) upstream: Option<Upstream>,
    pub(super) host: Option<SmolStr>,
    pub(super) referrer: Option<SmolStr>,
    /// The line ends within a quoted part.
    pub(super) unclosed: bool,
}

/// Divides what follows the head into the message with its action, and the tail from the client's address on.
pub(super) fn split(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut from = 0;
    while let Some((start, address)) = next_client(rest, from) {
        if client(&rest[address..]).is_some() {
            return (&rest[..start], Some(&rest[address..]));
        }
        from = address;
    }
    (rest, None)
}

/// Whether more than one reading of the tail is possible, because text from outside imitates it.
pub(super) fn is_contested(rest: &[u8]) -> bool {
    let mut tails = 0;
    let mut from = 0;
    while let Some((_, address)) = next_client(rest, from) {
        tails += usize::from(client(&rest[address..]).is_some_and(|(_, after)| after.starts_with(SERVER)));
        from = address;
    }
    tails > 1 || !upstream_is_clear(rest)
}

/// One upstream, or one that directly follows a request line with its version: what comes later then, in a header, is
/// no part of the line's own grammar.
fn upstream_is_clear(rest: &[u8]) -> bool {
    let starts = || (0..rest.len()).filter(|at| rest[*at..].starts_with(UPSTREAM));
    let after_version = |at: &usize| rest[..*at].strip_suffix(b"\"").is_some_and(ends_with_version);
    starts().nth(1).is_none() || starts().filter(after_version).count() == 1
}

/// Where the next `, client: ` begins, and where its address does. `stream` writes `, udp client: ` too.
fn next_client(rest: &[u8], mut from: usize) -> Option<(usize, usize)> {
    loop {
        let at = from + find(&rest[from..], CLIENT)?;
        from = at + CLIENT.len();
        let before = &rest[..at];
        if let Some(before) = before.strip_suffix(b", udp ").or_else(|| before.strip_suffix(b", ")) {
            return Some((before.len(), from));
        }
    }
}

/// The client's address and what follows it.
fn client(tail: &[u8]) -> Option<(Client, &[u8])> {
    if let Some(path) = tail.strip_prefix(b"unix:") {
        return Some((Client::Unix, &path[find(path, b", ").unwrap_or(path.len())..]));
    }
    let end = find(tail, b", ").unwrap_or(tail.len());
    let address = std::str::from_utf8(&tail[..end]).ok()?;
    Some((Client::Ip(address.parse().ok()?), &tail[end..]))
}

/// Reads the tail as far as it goes.
pub(super) fn read(tail: &[u8]) -> Fields {
    let Some((client, rest)) = client(tail) else { return Fields::default() };
    let mut fields = Fields { client: Some(client), ..Fields::default() };
    let Some(rest) = rest.strip_prefix(SERVER) else { return fields };
    let end = QUOTED.iter().chain([&STREAM_BYTES]).filter_map(|next| find(rest, next)).min().unwrap_or(rest.len());
    fields.server = Some(shown(&rest[..end]));
    let mut rest = &rest[end..];
    for (index, begin) in QUOTED.iter().enumerate() {
        let Some(value) = rest.strip_prefix(*begin) else { continue };
        let end = value_end(value, index);
        fields.unclosed |= end.is_none();
        let (value, left) = end.map_or((value, &b""[..]), |end| (&value[..end], &value[end + 1..]));
        rest = left;
        match index {
            0 => fields.request = Some(shown(value)),
            1 => fields.subrequest = Some(shown(value)),
            2 => fields.upstream = Some(Upstream::read(value)),
            3 => fields.host = Some(shown(value)),
            _ => fields.referrer = Some(shown(value)),
        }
    }
    fields
}

/// Where the closing quote of the part `index` is: the first that the line's end or a later part follows. A request
/// line that nginx accepted ends with the protocol's version, and has that nowhere else ([source]).
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/ngx_http_parse.c#L97
fn value_end(value: &[u8], index: usize) -> Option<usize> {
    let closes = |at: &usize| {
        let after = &value[at + 1..];
        let later = QUOTED.iter().skip(index + 1).chain([&STREAM_BYTES]);
        value[*at] == b'"' && (after.is_empty() || later.into_iter().any(|next| after.starts_with(next)))
    };
    let ends = || (0..value.len()).filter(closes);
    let versioned = || ends().find(|at| ends_with_version(&value[..*at]));
    if index == 0 { versioned().or_else(|| ends().next()) } else { ends().next() }
}

/// ` HTTP/1.1`, spaces after it included.
fn ends_with_version(request: &[u8]) -> bool {
    let Some((_, version)) = rfind(request, b" HTTP/").map(|at| request.split_at(at + 6)) else { return false };
    cut(version.trim_ascii_end(), b".")
        .is_some_and(|(major, minor)| [major, minor].iter().all(|n| !n.is_empty() && n.iter().all(u8::is_ascii_digit)))
}
