//! Ends without a reset, and a reset that ends nothing: the FIN of a process that died, how it died, and a forgery.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Check;
use crate::vm::bench::{Bench, LOOPBACK, Pair};
use crate::vm::peer::v4;
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::segment::{RST, Segment};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "killed",
        claim: "a process killed after it read a request sends a FIN and no reset: its end knows the signal, ours that the \
                request was acknowledged",
        act: killed,
    },
    Check {
        name: "exit_code",
        claim: "a process that exits with a request outstanding tells its exit code",
        act: exit_code,
    },
    Check {
        name: "forged",
        claim: "a forged reset that misses the window ends nothing, and is no reset received",
        act: forged,
    },
];

fn killed(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut pair = Pair::connect(LOOPBACK[0])?;
    pair.ask_to_end("/crash/kill", "")?;
    let theirs = bench
        .records
        .wait_for(since, "the end of the process", |record| record.is("exit_close") && pair.is_theirs(record))?;
    theirs.expect("/current/tgid", pair.backend)?;
    theirs.expect("/exit", json!({ "signal": 9 }))?;
    let ours = bench.records.wait_for(since, "the FIN", |record| record.is("fin_received") && pair.is_ours(record))?;
    ours.expect("/snapshot/unacked", 0)?;
    ours.expect("/snapshot/flight_never_acked", false)?;
    ours.expect("/snapshot/last_payload", "sent")?;
    let resets = bench.records.so_far(since, |record| {
        (record.is("reset_sent") || record.is("reset_received")) && (pair.is_ours(record) || pair.is_theirs(record))
    });
    ensure!(resets.is_empty(), "there was a reset: {resets:?}");
    Ok(Finding::Recorded)
}

fn exit_code(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut pair = Pair::connect(LOOPBACK[0])?;
    pair.ask_to_end("/crash/exit1", "")?;
    let theirs = bench
        .records
        .wait_for(since, "the end of the process", |record| record.is("exit_close") && pair.is_theirs(record))?;
    theirs.expect("/exit", json!({ "status": 1 }))?;
    Ok(Finding::Recorded)
}

fn forged(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut pair = Pair::connect(LOOPBACK[0])?;
    Segment::new(v4(pair.server)?, v4(pair.client)?, RST).send()?;
    // A real reset after it shows that the connection still lived, and that its records come.
    pair.ask_to_end("/linger0", "")?;
    let is_received = |record: &Record| record.is("reset_received") && pair.is_ours(record);
    let real = bench.records.wait_for(since, "the real reset", is_received)?;
    ensure!(real.at("/snapshot/bytes_sent").as_u64() > Some(0), "the forgery was taken for a reset: {real:?}");
    Ok(Finding::Recorded)
}
