use super::*;
use crate::{
    counts::{DecodeCounts, KernelCounts},
    sink::example,
    verdict::UpstreamLabel,
};

fn from_server(server: &str, cause: Cause, impact: Impact) -> Verdict {
    let upstream = Some(std::sync::Arc::new(UpstreamLabel { name: None, server: server.to_owned() }));
    Verdict { cause, impact, upstream, ..example::verdict() }
}

fn ended(mut summary: Summary) -> Summary {
    summary.end(KernelTime(0).after(Duration::from_secs(90)));
    summary
}

#[test]
fn nothing_is_said_plainly() {
    let text = ended(Summary::start(KernelTime(0))).to_string();
    assert_eq!(
        text,
        "Watched for 90.0 s: no connection ended in a way worth a verdict.\nResets on this host: 0 sent, 0 received.\n"
    );
}

#[test]
fn verdicts_are_counted_by_cause_impact_and_server() {
    let mut summary = Summary::start(KernelTime(0));
    summary.add(&from_server("10.0.0.2:3000", Cause::KeepaliveRace, Impact::RequestRetried));
    summary.add(&from_server("10.0.0.2:3000", Cause::KeepaliveRace, Impact::RequestFailed));
    summary.add(&from_server("[2001:db8::2]:3000", Cause::BackendCrash, Impact::RequestFailed));
    summary.add(&example::bare_verdict());
    let totals = |cause: Cause| summary.causes[&cause].values().sum::<u64>();
    assert_eq!((summary.verdicts, totals(Cause::KeepaliveRace), totals(Cause::BackendCrash)), (4, 2, 1));
    assert_eq!(summary.servers.len(), 2);
    assert_eq!(summary.servers[0].causes[&Cause::KeepaliveRace], 2);
}

#[test]
fn the_text_is_aligned_and_names_losses() {
    let mut summary = Summary::start(KernelTime(0));
    summary.add(&from_server("10.0.0.2:3000", Cause::KeepaliveRace, Impact::RequestRetried));
    summary.add(&from_server("10.0.0.2:3000", Cause::KeepaliveRace, Impact::RequestFailed));
    summary.add(&from_server("[2001:db8::2]:3000", Cause::BackendCrash, Impact::RequestFailed));
    summary.idle_timeouts.push(IdleTimeout { server: "10.0.0.2:3000".into(), idle_timeout_ms: 5001.0, samples: 7 });
    let mut resets = ResetTotals::default();
    resets.read(&KernelCounts { sent: 4, received: 3, ..KernelCounts::default() }, &DecodeCounts::default());
    summary.set_resets(&resets);
    summary.set_lost(Stage::Ring, 12);
    summary.set_lost(Stage::Decode, 0);
    let expected = "\
Watched for 90.0 s: 3 verdicts.
  backend_crash            1   1 failed
  keepalive_race           2   1 failed, 1 retried
By upstream server:
  10.0.0.2:3000        2 keepalive_race
  [2001:db8::2]:3000   1 backend_crash
Idle timeouts learned from clean closes:
  10.0.0.2:3000   5.00 s (closes seen: 7)
Resets on this host: 4 sent, 3 received.
Not all was seen: 12 records found the ring buffer full.
";
    assert_eq!(ended(summary).to_string(), expected);
}

#[test]
fn a_host_with_thousands_of_servers_has_a_bounded_summary() {
    let mut summary = Summary::start(KernelTime(0));
    for server in 0..5000 {
        summary.add(&from_server(&format!("server-{server}:80"), Cause::BackendAbort, Impact::RequestFailed));
    }
    assert_eq!(summary.servers.len(), crate::sink::servers::MAX_SERVERS + 1);
    assert_eq!(summary.servers.iter().flat_map(|server| server.causes.values()).sum::<u64>(), 5000);
}

#[test]
fn json_has_the_public_names() {
    let mut summary = Summary::start(KernelTime(0));
    summary.add(&example::verdict());
    summary.set_lost(Stage::Ring, 1);
    let json = serde_json::to_value(ended(summary)).unwrap();
    assert_eq!(json["duration_s"], 90.0);
    assert_eq!(json["causes"]["keepalive_race"]["request_retried"], 1);
    assert_eq!(json["servers"][0]["causes"]["keepalive_race"], 1);
    assert_eq!(json["lost"]["ring"], 1);
}
