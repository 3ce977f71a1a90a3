//! Verdicts as lines on a terminal: what, how sure, whom it hurt, and below it why and what to do.

use std::{collections::BTreeSet, io::Write, net::SocketAddr, time::Duration};

use jiff::tz::TimeZone;

use crate::{
    comparison::Comparison,
    episode::Episode,
    record::KernelTime,
    sink::{
        Lost, Mark, MarkedBy, Output, OutputError, Ready, clock::WallClock, summary::Summary, upstream::UpstreamNews,
        words,
    },
    verdict::{Cause, Impact, Leg, Verdict},
};

mod look;
mod wrap;

pub use look::Look;

/// Columns of a terminal from which a verdict's numbers fit beside it; on a narrower one they go below.
const WIDE: usize = 110;

/// Columns of a row before the server.
const BEFORE_SERVER: usize = 55;

/// Indentation of what belongs to the line above.
const INDENT: &str = "    ";

/// Writes verdicts for people.
pub struct Table<W> {
    out: W,
    clock: WallClock,
    zone: TimeZone,
    look: Look,
    header_written: bool,
    /// Causes of which it was said where to read more.
    referred: BTreeSet<Cause>,
}

impl<W: Write> Table<W> {
    /// Writes to `out`, with times by `clock` in the zone of `zone`.
    pub fn new(out: W, clock: WallClock, zone: TimeZone, look: Look) -> Self {
        Self { out, clock, zone, look, header_written: false, referred: BTreeSet::new() }
    }

    fn is_wide(&self) -> bool {
        self.look.width.is_none_or(|width| width >= WIDE)
    }

    fn header(&mut self) -> Result<(), OutputError> {
        if self.header_written {
            return Ok(());
        }
        self.header_written = true;
        let mut header = format!("{:<12}  {:<19}  {:<6}  {:<8}  {:<21}", "TIME", "CAUSE", "SURE", "REQUEST", "SERVER");
        if self.is_wide() {
            header.push_str(&format!("  {:>7}  {:>8}  {:>8}", "PID", "IDLE", "AFTER"));
        }
        Ok(writeln!(self.out, "{}", self.look.dim(header.trim_end()))?)
    }

    /// Whether the server still fits at the end of a narrow row; an IPv6 address is up to 47 characters long.
    fn fits(&self, server: &str) -> bool {
        self.is_wide() || self.look.width.is_none_or(|width| BEFORE_SERVER + server.len() <= width)
    }

    fn row(&mut self, verdict: &Verdict) -> Result<(), OutputError> {
        let server = server(verdict);
        let time = self.clock.timestamp(verdict.at).to_zoned(self.zone.clone());
        let cause = self.look.cause(verdict, &format!("{:<19}", verdict.cause));
        let mut row = format!(
            "{}  {cause}  {:<6}  {:<8}  {:<21}",
            time.strftime("%H:%M:%S.%3f"),
            verdict.confidence,
            words::impact(verdict.impact),
            if self.fits(&server) { server.as_str() } else { "" },
        );
        if self.is_wide() {
            let [pid, idle, after] = numbers(verdict).map(|number| number.unwrap_or_else(|| "-".to_owned()));
            row.push_str(&format!("  {pid:>7}  {idle:>8}  {after:>8}"));
        }
        Ok(writeln!(self.out, "{}", row.trim_end())?)
    }

    fn below(&mut self, label: &str, text: &str) -> Result<(), OutputError> {
        let label = format!("{label}: ");
        for (index, line) in wrap::wrap(text, self.look.width, INDENT.len() + label.len()).iter().enumerate() {
            if index == 0 {
                writeln!(self.out, "{INDENT}{}{line}", self.look.dim(&label))?;
            } else {
                writeln!(self.out, "{INDENT}{:indent$}{line}", "", indent = label.len())?;
            }
        }
        Ok(())
    }

    /// Once for each cause, and only to a person.
    fn more(&mut self, verdict: &Verdict) -> Result<(), OutputError> {
        if verdict.impact == Impact::None || self.look.width.is_none() || !self.referred.insert(verdict.cause) {
            return Ok(());
        }
        self.below("more", &format!("reset-observer explain {}", verdict.cause))
    }

    fn sentence(&mut self, text: &str) -> Result<(), OutputError> {
        for line in wrap::wrap(text, self.look.width, 0) {
            writeln!(self.out, "{line}")?;
        }
        Ok(self.out.flush()?)
    }
}

impl<W: Write> Output for Table<W> {
    fn ready(&mut self, ready: &Ready) -> Result<(), OutputError> {
        self.sentence(&greeting(ready))?;
        self.header()?;
        Ok(self.out.flush()?)
    }

    fn verdict(&mut self, verdict: &Verdict) -> Result<(), OutputError> {
        self.header()?;
        self.row(verdict)?;
        let server = server(verdict);
        if !self.fits(&server) {
            self.below("server", &server)?;
        }
        if !self.is_wide()
            && let Some(numbers) = numbers_in_words(verdict)
        {
            self.below("when", &numbers)?;
        }
        self.below("why", &why(verdict))?;
        if let Some(surer) = surer_with(verdict) {
            self.below("surer with", &surer)?;
        }
        if let Some(advice) = &verdict.advice {
            self.below("do", advice)?;
        }
        self.more(verdict)?;
        Ok(self.out.flush()?)
    }

    fn episode(&mut self, episode: &Episode) -> Result<(), OutputError> {
        self.sentence(&episode.to_string())
    }

    fn upstream(&mut self, news: &UpstreamNews) -> Result<(), OutputError> {
        match news.sentence() {
            Some(sentence) => self.sentence(&sentence),
            None => Ok(()),
        }
    }

    fn lost(&mut self, lost: &Lost) -> Result<(), OutputError> {
        self.sentence(&format!("Not all is seen: {} {}.", lost.records, lost.stage.words()))
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), OutputError> {
        let time = self.clock.timestamp(mark.at).to_zoned(self.zone.clone());
        let time = time.strftime("%H:%M:%S.%3f");
        let what = match mark.by {
            MarkedBy::Signal => "Marked: what comes from here on is compared with what came before, at the end.",
            MarkedBy::Reload => {
                "nginx was reloaded: what comes from here on is compared with what came before, at the end, unless SIGUSR1 \
                 marks another point."
            }
        };
        self.sentence(&format!("{time}  {what}"))
    }

    fn comparison(&mut self, comparison: &Comparison, _: KernelTime) -> Result<(), OutputError> {
        write!(self.out, "\n{comparison}")?;
        Ok(self.out.flush()?)
    }

    fn summary(&mut self, summary: &Summary) -> Result<(), OutputError> {
        write!(self.out, "\n{summary}")?;
        Ok(self.out.flush()?)
    }
}

fn greeting(ready: &Ready) -> String {
    let ports = match ready.ports.as_slice() {
        [] => "all ports".to_owned(),
        [port] => format!("port {port}"),
        ports => format!("ports {}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
    };
    let nginx = match (ready.nginx.masters, ready.nginx.workers) {
        (0, 0) => "no nginx is running yet".to_owned(),
        (_, 1) => "nginx runs with 1 worker".to_owned(),
        (_, workers) => format!("nginx runs with {workers} workers"),
    };
    format!("Watching {ports}; {nginx}. Ctrl-C ends with a summary.")
}

/// The upstream server, or the other end of a connection on another leg.
fn server(verdict: &Verdict) -> String {
    match &verdict.upstream {
        Some(upstream) => upstream.server.clone(),
        None => SocketAddr::new(verdict.remote.addr, verdict.remote.port).to_string(),
    }
}

/// Process id, idle time before the request, time from the request to the end.
fn numbers(verdict: &Verdict) -> [Option<String>; 3] {
    let timing = &verdict.timing;
    [
        verdict.process.as_ref().map(|process| process.pid.to_string()),
        timing.idle_before_request_ms.map(words::milliseconds),
        timing.since_request_us.map(|us| words::duration(Duration::from_micros(us))),
    ]
}

fn numbers_in_words(verdict: &Verdict) -> Option<String> {
    let [_, idle, after] = numbers(verdict);
    let parts: Vec<String> = [
        after.map(|after| format!("{after} after the request")),
        idle.map(|idle| format!("the connection had been idle for {idle} before it")),
        verdict.process.as_ref().map(|process| format!("{} {}", process.name, process.pid)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What was missing; nothing where no request was hurt.
fn surer_with(verdict: &Verdict) -> Option<String> {
    let said: Vec<&str> = verdict.would_raise.iter().map(|would| words::would_raise(*would)).collect();
    (!said.is_empty() && verdict.impact != Impact::None).then(|| said.join("; "))
}

fn why(verdict: &Verdict) -> String {
    let mut parts: Vec<&str> = verdict.evidence.iter().map(|evidence| words::evidence(*evidence)).collect();
    parts.extend(match verdict.leg {
        Leg::Upstream => None,
        Leg::Client => Some("on a client's connection"),
        Leg::Backend => Some("seen at the backend's end"),
        Leg::Other => Some("not a connection of nginx"),
    });
    if parts.is_empty() { "no evidence".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests;
