//! Substitutes for names.

use std::collections::HashMap;

/// Names of one kind that are told apart; those that come later share one.
const MAX_NAMES: usize = 1 << 16;

/// Programs that are no secret, and by which a reader knows what a backend is made of.
const PROGRAMS: [&str; 30] = [
    "nginx",
    "haproxy",
    "envoy",
    "apache2",
    "httpd",
    "caddy",
    "traefik",
    "node",
    "MainThread",
    "python",
    "python3",
    "gunicorn",
    "uvicorn",
    "java",
    "ruby",
    "puma",
    "php-fpm",
    "dotnet",
    "beam.smp",
    "deno",
    "bun",
    "systemd",
    "init",
    "sh",
    "bash",
    "curl",
    "wrk",
    "ssh",
    "lab",
    "",
];

/// What a name is of. The substitutes of two kinds never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Container,
    File,
    Host,
    Namespace,
    Node,
    Pod,
    Process,
    Referrer,
    Request,
    Query,
    Segment,
    Unit,
    Upstream,
}

impl Kind {
    /// What its substitutes begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Container => "container-",
            Self::File => "/file-",
            Self::Host => "host-",
            Self::Namespace => "namespace-",
            Self::Node => "node-",
            Self::Pod => "pod-",
            Self::Process => "process-",
            Self::Referrer => "referrer-",
            Self::Request => "request-",
            Self::Query => "q",
            Self::Segment => "p",
            Self::Unit => "unit-",
            Self::Upstream => "upstream-",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<Kind, HashMap<Box<str>, usize>>,
}

impl Names {
    /// What stands for a name. An empty one says nothing and stands for itself.
    pub(super) fn of(&mut self, kind: Kind, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        let known = self.known.entry(kind).or_default();
        let next = known.len() + 1;
        let number = match known.get(name) {
            Some(number) => *number,
            None if next > MAX_NAMES => next,
            None => *known.entry(name.into()).or_insert(next),
        };
        format!("{}{number}", kind.prefix())
    }

    pub(super) fn replace<T: AsRef<str> + From<String>>(&mut self, kind: Kind, name: &mut T) {
        *name = self.of(kind, name.as_ref()).into();
    }

    pub(super) fn replace_any<T: AsRef<str> + From<String>>(&mut self, kind: Kind, name: Option<&mut T>) {
        name.into_iter().for_each(|name| self.replace(kind, name));
    }

    /// Replaces a command name, unless it is that of a program everybody knows.
    pub(super) fn replace_process(&mut self, name: &mut String) {
        if !PROGRAMS.contains(&name.as_str()) {
            self.replace(Kind::Process, name);
        }
    }

    /// The same as records hold it.
    pub(super) fn replace_comm(&mut self, comm: &mut [u8; 16]) {
        let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
        let mut name = String::from_utf8_lossy(&comm[..end]).into_owned();
        self.replace_process(&mut name);
        *comm = [0; 16];
        let len = name.len().min(15);
        comm[..len].copy_from_slice(&name.as_bytes()[..len]);
    }
}
