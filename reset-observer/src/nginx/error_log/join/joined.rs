//! What a verdict gets to know from the error log.

use smol_str::SmolStr;

use super::{
    super::line::{Action, Call, Client, Kind, Line},
    expectation::over_http2,
    held::Held,
};

/// What the lines that may be a verdict's own have in common. Each part is the same in all of them, or `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// How many lines these are. One: it is the verdict's own.
    pub candidates: usize,
    /// What happened.
    pub kind: Option<Kind>,
    /// The call that failed.
    pub call: Option<Call>,
    /// Its error number.
    pub errno: Option<i32>,
    /// What nginx was doing.
    pub action: Option<Action>,
    /// The server is spoken to over HTTP/2, as far as the lines tell.
    pub over_http2: bool,
    /// Number of the client's connection.
    pub connection: Option<u64>,
    /// Who asked.
    pub client: Option<Client>,
    /// The virtual server.
    pub server: Option<SmolStr>,
    /// The request's method.
    pub method: Option<SmolStr>,
    /// The request line.
    pub request: Option<SmolStr>,
    /// The Host header.
    pub host: Option<SmolStr>,
    /// The failures of the same request afterwards, at this server or another. Known for a verdict's own line only, and
    /// only of what was logged by the time of the answer. A client that asks the same again on its connection within
    /// that time looks alike.
    pub later: Option<Later>,
    /// The same request had failed so often before. Known for a verdict's own line only.
    pub failed_before: u32,
    /// The place of the verdict's own line among all tries.
    pub(super) serial: Option<u64>,
}

/// What the log says of a request after one of its failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// How many tries failed; at least one.
    pub failures: u32,
    /// The kind of the last one.
    pub kind: Kind,
    /// What nginx was doing then.
    pub action: Option<Action>,
}

impl Joined {
    /// One line of which nothing is known.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            candidates: 1,
            kind: None,
            call: None,
            errno: None,
            action: None,
            over_http2: false,
            connection: None,
            client: None,
            server: None,
            method: None,
            request: None,
            host: None,
            later: None,
            failed_before: 0,
            serial: None,
        }
    }

    /// What the verdict's own line says.
    pub(super) fn own(Held { line, serial, .. }: Held) -> Self {
        let said = &line.complaint;
        Self {
            candidates: 1,
            kind: Some(said.kind),
            call: said.call,
            errno: said.errno,
            action: line.action,
            over_http2: over_http2(&line),
            connection: line.connection,
            method: line.method().map(SmolStr::new),
            client: line.client,
            server: line.server,
            request: line.request,
            host: line.host,
            later: None,
            failed_before: 0,
            serial: line.connection.map(|_| serial),
        }
    }

    /// What these lines, at least one, have in common.
    pub(super) fn of(lines: &[(&Line, u64)]) -> Option<Self> {
        let ((first, serial), rest) = lines.split_first()?;
        let only = rest.is_empty();
        let request = common(lines, |line| line.request.as_ref());
        Some(Self {
            candidates: lines.len(),
            kind: common(lines, |line| Some(&line.complaint.kind)).copied(),
            call: common(lines, |line| line.complaint.call.as_ref()).copied(),
            errno: common(lines, |line| line.complaint.errno.as_ref()).copied(),
            action: common(lines, |line| line.action.as_ref()).copied(),
            over_http2: lines.iter().any(|(line, _)| over_http2(line)),
            connection: common(lines, |line| line.connection.as_ref()).copied(),
            client: common(lines, |line| line.client.as_ref()).cloned(),
            server: common(lines, |line| line.server.as_ref()).cloned(),
            method: request.map_or_else(|| common(lines, Line::method), |_| first.method()).map(SmolStr::new),
            request: request.cloned(),
            host: common(lines, |line| line.host.as_ref()).cloned(),
            later: None,
            failed_before: 0,
            serial: only.then_some(*serial).filter(|_| first.connection.is_some()),
        })
    }
}

fn common<'a, T: PartialEq + ?Sized>(
    lines: &[(&'a Line, u64)],
    part: impl Fn(&'a Line) -> Option<&'a T>,
) -> Option<&'a T> {
    let ((first, _), rest) = lines.split_first()?;
    let part_of_first = part(first)?;
    rest.iter().all(|(line, _)| part(line) == Some(part_of_first)).then_some(part_of_first)
}

/// The answer to an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What its line says.
    Joined(Box<Joined>),
    /// nginx may have written a line for it, and for which of several ends is not known.
    Ambiguous,
    /// nginx wrote no line.
    NoLine,
}
