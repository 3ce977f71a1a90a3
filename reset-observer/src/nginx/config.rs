//! nginx's configuration, read as nginx reads it and without running it.
//!
//! No crate does this: nginx-config (2018) panics on UTF-8, nginx-discovery refuses `[::]:80`, nginx-lint-parser follows no
//! includes and trips over CRLF and over braces in Lua comments, misc-conf knows no places.
//!
//! [`Configuration::read`] never fails: what can't be read is a [`Problem`] with file and line, and the rest counts.

mod block;
pub mod defaults;
pub mod directive;
pub mod endpoint;
pub mod error_log;
pub mod hosts;
mod include;
pub mod index;
pub mod locate;
mod lua;
pub mod pass;
mod pattern;
pub mod running;
pub mod setting;
pub mod source;
pub mod stale;
#[cfg(test)]
mod table;
mod tree;
pub mod upstream;
pub mod value;
pub mod virtual_server;
pub mod words;

use std::{collections::HashSet, path::Path};

use directive::{Directive, Origin, Problem, ReadFile};
use error_log::ErrorLog;
use pass::Pass;
use setting::Scope;
use source::Source;
use upstream::{Layer, Upstream};
use virtual_server::VirtualServer;

/// What an nginx is told to do, as far as it matters to connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The files, each once, in the order in which nginx first opens them (and `nginx -T` prints them).
    pub files: Vec<ReadFile>,
    /// What could not be read or nginx would refuse; empty for a configuration that is in order.
    pub problems: Vec<Problem>,
    /// `upstream` blocks of `http {}` and `stream {}`, in the order of the files.
    pub upstreams: Vec<Upstream>,
    /// `proxy_pass` and its kin.
    pub passes: Vec<Pass>,
    /// `server` blocks.
    pub servers: Vec<VirtualServer>,
    /// `error_log` directives of all levels. Without one outside all blocks, the log that was compiled in counts too.
    pub error_logs: Vec<ErrorLog>,
    /// `worker_processes`: a number or `auto`; 1 unless set.
    pub worker_processes: Option<String>,
    /// `daemon`; on unless set.
    pub daemon: Option<bool>,
    /// `master_process`; on unless set.
    pub master_process: Option<bool>,
    /// `pid`, as an absolute path.
    pub pid: Option<std::path::PathBuf>,
}

impl Configuration {
    /// Reads the main file and all that it includes.
    #[must_use]
    pub fn read(source: &dyn Source, origin: &Origin) -> Self {
        let tree = tree::read(source, origin);
        let mut configuration = Self { files: tree.files, problems: tree.problems, ..Self::default() };
        configuration.learn_main(&tree.directives, &origin.prefix);
        configuration.problems.truncate(tree::MAX_PROBLEMS);
        configuration
    }

    fn learn_main(&mut self, directives: &[Directive], prefix: &Path) {
        let mut scope = Scope::default();
        scope.enter(directives);
        let path = |word: &[u8]| prefix.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(word));
        self.worker_processes = scope.text("worker_processes").map(|set| set.value);
        self.daemon = scope.flag("daemon").map(|set| set.value);
        self.master_process = scope.flag("master_process").map(|set| set.value);
        self.pid = scope.find("pid").and_then(Directive::only_argument).map(path);
        // Names of upstream blocks may be used before they are given.
        for (directive, layer) in layers(directives) {
            let blocks =
                directive.children().iter().filter(|child| child.name() == b"upstream" && child.block.is_some());
            for block in blocks {
                self.upstreams.push(Upstream::read(block, layer, &mut self.problems));
            }
        }
        let names: HashSet<(Layer, String)> =
            self.upstreams.iter().map(|upstream| (upstream.layer, upstream.name.to_ascii_lowercase())).collect();
        self.learn_logs(directives, "main", prefix);
        for directive in directives.iter().filter(|directive| directive.name() == b"mail") {
            self.learn_logs(directive.children(), "mail", prefix);
            for server in directive.children().iter().filter(|child| child.name() == b"server") {
                self.learn_logs(server.children(), "server", prefix);
            }
        }
        for (directive, layer) in layers(directives) {
            let mut walk = Walk { configuration: self, layer, names: &names, prefix };
            walk.block(directive, &mut scope);
        }
    }

    fn learn_logs(&mut self, directives: &[Directive], block: &str, prefix: &Path) {
        let logs = directives.iter().filter(|directive| directive.name() == b"error_log");
        self.error_logs.extend(logs.filter_map(|directive| ErrorLog::read(directive, block, prefix)));
    }
}

/// The blocks `http {}` and `stream {}`.
fn layers(directives: &[Directive]) -> impl Iterator<Item = (&Directive, Layer)> {
    directives.iter().filter(|directive| directive.block.is_some()).filter_map(|directive| match directive.name() {
        b"http" => Some((directive, Layer::Http)),
        b"stream" => Some((directive, Layer::Stream)),
        _ => None,
    })
}

/// A walk through `http {}` or `stream {}`.
struct Walk<'a> {
    configuration: &'a mut Configuration,
    layer: Layer,
    names: &'a HashSet<(Layer, String)>,
    prefix: &'a Path,
}

impl Walk<'_> {
    /// Recurses as deep as blocks lie in each other, which the reader bounds.
    fn block<'t>(&mut self, block: &'t Directive, scope: &mut Scope<'t>) {
        scope.enter(block.children());
        let name = String::from_utf8_lossy(block.name());
        self.configuration.learn_logs(block.children(), &name, self.prefix);
        for child in block.children() {
            if child.block.is_none() {
                self.pass(child, scope);
                continue;
            }
            match child.name() {
                b"server" => {
                    let server = VirtualServer::read(child, self.layer, &mut self.configuration.problems);
                    self.configuration.servers.push(server);
                    self.block(child, scope);
                }
                b"location" | b"if" | b"limit_except" => self.block(child, scope),
                _ => {}
            }
        }
        scope.leave();
    }

    fn pass(&mut self, directive: &Directive, scope: &Scope<'_>) {
        let is_upstream = |name: &str| self.names.contains(&(self.layer, name.to_ascii_lowercase()));
        match Pass::read(directive, self.layer, scope, &is_upstream) {
            Some(Ok(pass)) => self.configuration.passes.push(pass),
            Some(Err(problem)) => self.configuration.problems.push(problem),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
