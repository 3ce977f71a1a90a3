//! `server` blocks: where nginx listens, and under which names.

use std::ops::RangeInclusive;

use super::{
    directive::{Directive, Place, Problem},
    endpoint::{self, Endpoint},
    upstream::Layer,
};

/// A `server` block of `http {}` or `stream {}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualServer {
    /// Which of the two.
    pub layer: Layer,
    /// Where the block begins.
    pub place: Place,
    /// Where it listens. Without any `listen`, nginx takes port 80, or 8000 without root's rights.
    pub listens: Vec<Listen>,
    /// `server_name`, as written.
    pub names: Vec<String>,
}

/// A `listen` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address as written.
    pub text: String,
    /// The address, with the first of its ports.
    pub endpoint: Endpoint,
    /// All its ports; `0..=0` for a Unix domain socket.
    pub ports: RangeInclusive<u16>,
    /// The other parameters, such as `ssl` or `udp`.
    pub parameters: Vec<String>,
    /// Where the directive is.
    pub place: Place,
}

impl VirtualServer {
    pub(super) fn read(directive: &Directive, layer: Layer, problems: &mut Vec<Problem>) -> Self {
        let (mut listens, mut names) = (Vec::new(), Vec::new());
        for child in directive.children() {
            match child.name() {
                b"listen" => match Listen::read(child) {
                    Ok(listen) => listens.push(listen),
                    Err(problem) => problems.push(problem),
                },
                b"server_name" => {
                    names.extend(child.arguments().iter().map(|name| String::from_utf8_lossy(name).into_owned()));
                }
                _ => {}
            }
        }
        Self { layer, place: directive.place.clone(), listens, names }
    }
}

impl Listen {
    fn read(directive: &Directive) -> Result<Self, Problem> {
        let [address, parameters @ ..] = directive.arguments() else {
            return Err(directive.problem("invalid number of arguments in \"listen\" directive"));
        };
        let text = String::from_utf8_lossy(address).into_owned();
        let (endpoint, ports) = endpoint::listen(address)
            .map_err(|says| directive.problem(&format!("{says} in \"{text}\" of the \"listen\" directive")))?;
        let parameters = parameters.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        Ok(Self { text, endpoint, ports, parameters, place: directive.place.clone() })
    }
}
