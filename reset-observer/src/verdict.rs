//! What we say about one connection, in the domain's words. The names of the enums are public: they are the strings of
//! the JSON lines and of the metric labels.

use std::{fmt, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    container::Container,
    record::{KernelTime, TcpState},
};

/// Declares a closed enum whose names are public: [`fmt::Display`] and serde agree, and `ALL` lists every value, so
/// that each metric series exists at zero.
macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The public name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

closed_enum! {
    /// Why a connection ended.
    Cause {
        /// The backend process died abnormally, or vanished, with a request outstanding.
        BackendCrash = "backend_crash",
        /// The same, but the process ended in good order: a deploy that does not drain.
        BackendRestart = "backend_restart",
        /// The backend lives and aborted this one connection.
        BackendAbort = "backend_abort",
        /// nginx sent a request on a pooled connection that the backend was closing, or had closed, for idleness.
        KeepaliveRace = "keepalive_race",
        /// Something between the two forgot or dropped the idle connection.
        MiddleboxIdleDrop = "middlebox_idle_drop",
        /// Nothing listens at the upstream server.
        ConnectionRefused = "connection_refused",
        /// The listener lives but turned this new connection away.
        ConnectionLimit = "connection_limit",
        /// The client left first, and nginx cut the upstream connection.
        ClientAbort = "client_abort",
        /// nginx gave up waiting.
        ProxyTimeout = "proxy_timeout",
        /// An nginx worker died.
        ProxyCrash = "proxy_crash",
        /// Closed or reset with no request outstanding: harmless.
        IdleClose = "idle_close",
        /// The evidence does not decide.
        Unknown = "unknown",
    }
}

closed_enum! {
    /// How sure we are.
    Confidence {
        /// The evidence excludes the other causes.
        High = "high",
        /// The best explanation; another one is possible.
        Medium = "medium",
        /// A guess better than none.
        Low = "low",
    }
}

closed_enum! {
    /// What it did to a request.
    Impact {
        /// A request failed.
        RequestFailed = "request_failed",
        /// nginx hid it by trying again.
        RequestRetried = "request_retried",
        /// No request was outstanding.
        None = "none",
        /// Not known.
        Unknown = "unknown",
    }
}

closed_enum! {
    /// How the connection ended.
    Signal {
        /// A reset arrived.
        RstReceived = "rst_received",
        /// This host sent a reset.
        RstSent = "rst_sent",
        /// The peer's FIN arrived, and no reset after it.
        FinReceived = "fin_received",
        /// Nobody answered.
        TimedOut = "timed_out",
        /// This host closed first, with a request or a handshake unanswered.
        FinSent = "fin_sent",
    }
}

closed_enum! {
    /// Which side of nginx a connection is on.
    Leg {
        /// An nginx worker connected it.
        Upstream = "upstream",
        /// Accepted on an nginx listening socket.
        Client = "client",
        /// The same-host other end of an upstream connection.
        Backend = "backend",
        /// None of these.
        Other = "other",
    }
}

pub(crate) use closed_enum;

mod evidence;
mod id;
mod list;
mod part;
mod raise;

pub use evidence::Evidence;
pub use id::VerdictId;
pub use list::{EvidenceList, WouldRaiseList};
pub use part::{Backend, Bytes, Request, RstFlags, RstPacket, Timing};
pub use raise::WouldRaise;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// IP address.
    pub addr: std::net::IpAddr,
    /// Port.
    pub port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { addr: address.ip(), port: address.port() }
    }
}

/// What part a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// nginx's master.
    Master,
    /// One of its workers, or any process of a program named by `--process`.
    Worker,
    /// Cache manager or cache loader.
    Cache,
    /// No part of nginx.
    Other,
}

/// The process behind the local end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessLabel {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Command name.
    pub name: String,
    /// Its part in nginx.
    pub role: Role,
    /// Process id in its own pid namespace, which is the one in nginx's log; equal to `pid` outside of containers.
    pub inner_pid: Option<u32>,
    /// Process id of the master that started it, which tells one nginx of the host from another.
    pub master: Option<u32>,
    /// Position of a worker among all that serve on this host, from 0 in the order in which they started. A worker that
    /// replaces another takes over its position, which stays small, unlike a pid.
    #[serde(skip)]
    pub ordinal: Option<u32>,
}

/// The upstream block and server behind the remote end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpstreamLabel {
    /// Name of the upstream block, where the configuration tells.
    pub name: Option<String>,
    /// Address of the server.
    pub server: String,
}

/// What we say about one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// When the connection ended.
    #[serde(skip)]
    pub at: KernelTime,
    /// Its name.
    pub id: VerdictId,
    /// Why.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// What it did to a request.
    pub impact: Impact,
    /// How the connection ended.
    pub signal: Signal,
    /// Which side of nginx.
    pub leg: Leg,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// State before the event.
    pub tcp_state: Option<TcpState>,
    /// Inode of the network namespace.
    pub netns: Option<u32>,
    /// Who held the connection.
    pub process: Option<Arc<ProcessLabel>>,
    /// The container, pod or service of that process.
    pub container: Option<Arc<Container>>,
    /// The same of the process at the other end, if that is on this host.
    pub remote_container: Option<Arc<Container>>,
    /// Whom it led to; `null` on other legs.
    pub upstream: Option<Arc<UpstreamLabel>>,
    /// Times.
    pub timing: Timing,
    /// Payload.
    pub bytes: Option<Bytes>,
    /// The reset packet.
    pub rst: Option<RstPacket>,
    /// Why this host sent a reset, by the kernel's own name in lower case.
    pub reset_reason: Option<Arc<str>>,
    /// The other end.
    pub backend: Option<Backend>,
    /// What decided it, strongest first.
    pub evidence: EvidenceList,
    /// What would have raised the confidence; empty where it is high.
    pub would_raise: WouldRaiseList,
    /// The request.
    pub request: Option<Request>,
    /// What to change; `null` where nothing is wrong.
    pub advice: Option<String>,
    /// The crash or restart of the server that it belongs to, by the name of the episode.
    pub episode: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_json_is_the_name_in_metrics() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_string(cause).unwrap(), format!("\"{cause}\""));
        }
        for evidence in Evidence::ALL {
            assert_eq!(serde_json::to_string(evidence).unwrap(), format!("\"{evidence}\""));
        }
        for would in WouldRaise::ALL {
            assert_eq!(serde_json::to_string(would).unwrap(), format!("\"{would}\""));
        }
    }
}
