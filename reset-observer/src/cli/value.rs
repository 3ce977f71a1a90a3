//! Values of flags: times, sizes, addresses.

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use clap::builder::RangedI64ValueParser;
use jiff::SignedDuration;

pub(super) fn settle(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(10)..=Duration::from_secs(60))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(100)..=Duration::from_secs(720 * 3600))
}

pub(super) fn max_owners() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1024..=1 << 20)
}

pub(super) fn ring_size(text: &str) -> Result<u32, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err("write a number of KiB or MiB, such as 256KiB or 4MiB".into()),
    };
    let bytes = number.parse::<u32>().ok().and_then(|number| number.checked_mul(scale));
    let fitting = bytes.filter(|bytes| (64 << 10..=64 << 20).contains(bytes));
    fitting.map(u32::next_power_of_two).ok_or_else(|| "must be from 64KiB to 64MiB".into())
}

fn duration_within(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|_| "not a time: write a number with its unit, such as 300ms, 60s or 5m".to_owned())?;
    let within = Duration::try_from(parsed).ok().filter(|duration| range.contains(duration));
    within.ok_or_else(|| {
        let friendly = |bound: &Duration| SignedDuration::try_from(*bound).map_or_else(|_| String::new(), show);
        format!("must be from {} to {}", friendly(range.start()), friendly(range.end()))
    })
}

fn show(duration: SignedDuration) -> String {
    format!("{duration:#}").replace(' ', "")
}

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    full.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:9924, [::1]:9924 or :9924".to_owned())
}

#[cfg(feature = "otlp")]
pub(super) fn metrics_interval(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_secs(1)..=Duration::from_secs(3600))
}

#[cfg(feature = "otlp")]
pub(super) fn collector(text: &str) -> Result<String, String> {
    let url: axum::http::Uri = text.parse().map_err(|_| "write a URL, such as http://127.0.0.1:4318".to_owned())?;
    match url.scheme_str() {
        Some("http") if url.host().is_some_and(|host| !host.is_empty()) => Ok(text.to_owned()),
        Some("https") => {
            Err("TLS is for a collector on this host to speak: give that one's address, http://...".into())
        }
        Some(_) | None => Err("write a URL, such as http://127.0.0.1:4318".into()),
    }
}
