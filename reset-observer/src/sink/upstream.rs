//! Both sides of the idle connections to a server, as they are shown.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    advise,
    mismatch::{Change, News, Sides},
    nginx::upstream_settings::{Keeps, UpstreamSettings},
    record::KernelTime,
    sink::words,
    verdict::UpstreamLabel,
};

/// What is known of one server's idle connections. `null` where not known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Upstream {
    /// The server, and its upstream block.
    pub upstream: UpstreamLabel,
    /// How long the backend keeps an idle connection, as learned.
    pub learned_timeout: LearnedTimeout,
    /// How long nginx keeps one, as configured.
    pub nginx_timeout: Option<NginxTimeout>,
    /// Whether nginx keeps them for longer than is safe.
    pub mismatch: Option<bool>,
    /// How many races the traffic seen lets expect; `null` where there is no mismatch, or too little was seen.
    pub expected_races: Option<Expected>,
    /// What to change; `null` where there is no mismatch.
    pub advice: Option<String>,
}

/// How long a backend keeps an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LearnedTimeout {
    /// Milliseconds.
    pub value_ms: f64,
    /// The longest minus the shortest of the closes it was learned from, milliseconds.
    pub spread_ms: f64,
    /// From how many closes it was learned, at most 17.
    pub samples: u64,
}

/// Races to be expected, as an order of magnitude: how it is worked out is in `docs/causes/keepalive_race.md`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expected {
    /// Per hour.
    pub per_hour: f64,
    /// The time in which the traffic was seen that this rests on, seconds.
    pub over_s: f64,
}

/// How long nginx keeps an idle connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NginxTimeout {
    /// Milliseconds; 0 if it keeps none, `null` if it never closes one.
    pub value_ms: Option<f64>,
    /// File and line of `keepalive_timeout`; `null` where nginx's default counts.
    pub at: Option<String>,
    /// File and line of the upstream block; `null` without one.
    pub block_at: Option<String>,
}

/// Something new about one server's idle connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UpstreamNews {
    /// When it was noticed.
    #[serde(skip)]
    pub at: KernelTime,
    /// What is new.
    pub change: Change,
    /// What is known.
    #[serde(flatten)]
    pub known: Upstream,
}

impl From<&Sides> for Upstream {
    fn from(sides: &Sides) -> Self {
        let backend = &sides.backend;
        Self {
            upstream: sides.upstream.clone(),
            learned_timeout: LearnedTimeout {
                value_ms: milliseconds(backend.value),
                spread_ms: milliseconds(backend.spread),
                samples: u64::try_from(backend.samples).unwrap_or(u64::MAX),
            },
            nginx_timeout: sides.settings.as_deref().map(NginxTimeout::from),
            mismatch: sides.mismatch(),
            expected_races: sides
                .expected
                .filter(|_| sides.mismatch() == Some(true))
                .map(|expected| Expected { per_hour: expected.per_hour, over_s: expected.over.as_secs_f64() }),
            advice: advise::mismatch(sides),
        }
    }
}

impl From<&UpstreamSettings> for NginxTimeout {
    fn from(settings: &UpstreamSettings) -> Self {
        let value_ms = match Keeps::of(settings) {
            Keeps::Nothing => Some(0.0),
            Keeps::For(timeout) => Some(milliseconds(timeout)),
            Keeps::Forever => None,
        };
        Self {
            value_ms,
            at: settings.keepalive_timeout_at.as_ref().map(ToString::to_string),
            block_at: settings.block.as_ref().map(|(_, place)| place.to_string()),
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Upstream {
    fn name(&self) -> String {
        let UpstreamLabel { name, server } = &self.upstream;
        name.as_ref().map_or_else(|| format!("server {server}"), |name| format!("server {server} of upstream {name}"))
    }
}

impl fmt::Display for Upstream {
    /// A mismatch as a sentence, or what was learned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.advice {
            Some(advice) => {
                let expected = self.expected_races.as_ref().map(expected).unwrap_or_default();
                write!(f, "A race waits to happen at {}{expected}: {advice}.", self.name())
            }
            None => write!(
                f,
                "The idle timeout of {} is {} (closes seen: {}).",
                self.name(),
                words::milliseconds(self.learned_timeout.value_ms),
                self.learned_timeout.samples
            ),
        }
    }
}

/// ` (about 3 an hour at the traffic of the last 5.0 min)`, to one digit.
fn expected(races: &Expected) -> String {
    let over = words::milliseconds(races.over_s * 1e3);
    let often = match races.per_hour {
        often if often >= 9.5 => format!("about {:.0} an hour", round_to_one_digit(often)),
        often if often >= 0.95 => format!("about {often:.0} an hour"),
        often if often >= 0.95 / 24.0 => format!("about {:.0} a day", round_to_one_digit(often * 24.0)),
        _ => "less than one a day".to_owned(),
    };
    format!(" ({often} at the traffic of the last {over})")
}

fn round_to_one_digit(number: f64) -> f64 {
    let unit = 10_f64.powf(number.log10().floor());
    (number / unit).round() * unit
}

impl UpstreamNews {
    /// What became of a server's two sides, noticed at this instant.
    #[must_use]
    pub fn new(at: KernelTime, news: &News) -> Self {
        Self { at, change: news.change, known: Upstream::from(&news.sides) }
    }

    /// What an engineer wants to be told of it; `None` where there is nothing to do about it.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let known = &self.known;
        match self.change {
            Change::MismatchFound => Some(known.to_string()),
            Change::Changed if known.mismatch == Some(true) => Some(known.to_string()),
            Change::MismatchEnded => Some(format!("No race waits to happen at {} any more.", known.name())),
            Change::Learned | Change::Changed => None,
        }
    }
}

#[cfg(test)]
mod tests;
