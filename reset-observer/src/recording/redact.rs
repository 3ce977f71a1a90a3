//! Replaces what a recording says about hosts, people and paths, so that it can be shown to others.
//!
//! The same text gets the same substitute throughout a recording, and another one gets another, so that the verdicts are
//! the same but for these. Substitutes are numbered in the order in which they are needed. What times, ports, process ids
//! and byte counts tell remains, for verdicts rest on them; `docs/recordings.md` lists both.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use reset_observer_ebpf::record::RawRecord;
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{
    Placing,
    entry::{self, Context, Entry, RECORD_BYTES},
};
use crate::{
    container::Container,
    nginx::{
        error_log::line::{Client, Line, Peer, Upstream},
        upstream_settings::UpstreamSettings,
    },
    sink::Ready,
    verdict::{ProcessLabel, UpstreamLabel},
};

mod addresses;
mod names;
mod request;

use addresses::Addresses;
use names::{Kind, Names};

/// Substitutes, as far as any were needed.
#[derive(Debug, Default)]
pub struct Redactor {
    addresses: Addresses,
    names: Names,
}

impl Redactor {
    /// Writes an entry with substitutes in it.
    ///
    /// # Errors
    /// See [`entry::write`].
    pub fn write(&mut self, entry: Entry<'_>, to: &mut Vec<u8>) -> Result<()> {
        match entry {
            Entry::Record(bytes, placing) => {
                let bytes = self.record(bytes)?;
                let bytes: &[u8; RECORD_BYTES] = bytes.as_bytes().try_into().context("a record of another length")?;
                entry::write(&Entry::Record(bytes, placing), to)
            }
            Entry::Loose(bytes) => {
                // What cannot be read is counted, whatever it holds.
                let record = self.record(bytes).ok();
                entry::write(&Entry::Loose(record.as_ref().map_or(&[], |record| record.as_bytes())), to)
            }
            Entry::Due(at) => entry::write(&Entry::Due(at), to),
            Entry::Placing(mut placing) => {
                self.placing(&mut placing);
                entry::write(&Entry::Placing(placing), to)
            }
            Entry::Context(mut context) => {
                self.context(&mut context);
                entry::write(&Entry::Context(context), to)
            }
        }
    }

    fn record(&mut self, bytes: &[u8]) -> Result<RawRecord> {
        let mut raw = RawRecord::read_from_bytes(bytes).ok().context("a record of another length")?;
        for address in [&mut raw.local_addr, &mut raw.remote_addr] {
            self.addresses.replace_raw(raw.family, address);
        }
        for name in [&mut raw.owner_comm, &mut raw.current_comm] {
            self.names.replace_comm(name);
        }
        // An address in the kernel's memory tells where the kernel is.
        raw.socket = self.addresses.socket(raw.socket);
        raw.cookie = 0;
        Ok(raw)
    }

    fn placing(&mut self, placing: &mut Placing) {
        self.process(placing.process.as_mut());
        self.container(placing.container.as_mut());
        self.upstream(placing.upstream.as_mut());
        if let Some(settings) = &mut placing.settings {
            self.settings(Arc::make_mut(settings));
        }
    }

    fn context(&mut self, context: &mut Context) {
        match context {
            Context::Ready { ready, .. } => self.ready(ready),
            Context::Line { line, .. } => self.line(line),
            Context::Recall { server, .. } => *server = self.addresses.of_socket(*server),
            Context::Named { remote, upstream, settings, .. } => {
                *remote = self.addresses.of_socket(*remote);
                self.upstream(upstream.as_mut());
                settings.iter_mut().for_each(|settings| self.settings(settings));
            }
            Context::LinesLost { .. }
            | Context::Follow { .. }
            | Context::News { .. }
            | Context::Counts { .. }
            | Context::Mark { .. }
            | Context::Flush
            | Context::End { .. }
            | Context::Full => {}
        }
    }

    fn ready(&mut self, ready: &mut Ready) {
        self.names.replace(Kind::Node, &mut ready.node);
    }

    fn process(&mut self, process: Option<&mut Arc<ProcessLabel>>) {
        process.into_iter().for_each(|process| self.names.replace_process(&mut Arc::make_mut(process).name));
    }

    fn container(&mut self, container: Option<&mut Arc<Container>>) {
        let Some(Container { id, runtime: _, pod, unit }) = container.map(Arc::make_mut) else { return };
        let names = &mut self.names;
        names.replace_any(Kind::Container, id.as_mut());
        names.replace_any(Kind::Unit, unit.as_mut());
        if let Some(pod) = pod {
            names.replace(Kind::Pod, &mut pod.uid);
            names.replace_any(Kind::Pod, pod.name.as_mut());
            names.replace_any(Kind::Namespace, pod.namespace.as_mut());
            names.replace_any(Kind::Container, pod.container.as_mut());
        }
    }

    fn upstream(&mut self, upstream: Option<&mut Arc<UpstreamLabel>>) {
        let Some(UpstreamLabel { name, server }) = upstream.map(Arc::make_mut) else { return };
        self.names.replace_any(Kind::Upstream, name.as_mut());
        match server.parse() {
            Ok(address) => *server = self.addresses.of_socket(address).to_string(),
            Err(_) => self.names.replace(Kind::Host, server),
        }
    }

    fn settings(&mut self, settings: &mut UpstreamSettings) {
        let places = settings.block.iter_mut().map(|(_, place)| place).chain(&mut settings.keepalive_timeout_at);
        for place in places {
            let mut file = place.file.to_string_lossy().into_owned();
            self.names.replace(Kind::File, &mut file);
            place.file = std::path::Path::new(&file).into();
        }
        if let Some((name, _)) = &mut settings.block {
            self.names.replace(Kind::Upstream, name);
        }
    }

    fn line(&mut self, line: &mut Line) {
        if let Some(Client::Ip(address)) = &mut line.client {
            *address = self.addresses.of(*address);
        }
        self.names.replace_any(Kind::Host, line.server.as_mut());
        self.names.replace_any(Kind::Host, line.host.as_mut());
        self.names.replace_any(Kind::Referrer, line.referrer.as_mut());
        line.request.iter_mut().for_each(|request| *request = self.names.request_line(request).into());
        line.subrequest.iter_mut().for_each(|uri| *uri = self.names.uri(uri).into());
        if let Some(Upstream { scheme: _, peer, uri }) = &mut line.upstream {
            *uri = self.names.uri(uri).into();
            match peer {
                Peer::Tcp(address) => *address = self.addresses.of_socket(*address),
                Peer::Unix(path) => self.names.replace(Kind::File, path),
                Peer::Name(name) => self.names.replace(Kind::Upstream, name),
            }
        }
    }
}

#[cfg(test)]
mod tests;
