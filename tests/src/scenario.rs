//! The scenarios: each does one known deed on a stage and says what the truth is.

use anyhow::{Context, Result, bail};

use crate::cell::Cells;
use crate::interrupt;
use crate::lock::MachineLock;
use crate::programs;
use crate::stage::{Plan, Stage};
use crate::topology::Family;
use crate::truth::Truth;

mod backend_abort;
mod backend_crash;
mod backend_restart;
mod client_abort;
mod connection_limit;
mod connection_refused;
mod control;
mod grpc;
mod keepalive_race;
mod middlebox;
mod proxy_crash;
mod proxy_timeout;
mod real_server;
mod websocket;

/// A deed with a known cause.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done to whom, as the demo tells it.
    pub deed: &'static str,
    /// The circumstances under which it makes sense.
    pub cells: Cells,
    /// The stage that it needs.
    pub plan: fn(Family) -> Plan,
    /// Does the deed, checks that it happened as meant, and tells the truth.
    pub act: fn(&mut Stage) -> Result<Truth>,
}

/// Every scenario, cause by cause.
pub fn all() -> Vec<Scenario> {
    let families = [
        backend_crash::SCENARIOS,
        keepalive_race::SCENARIOS,
        middlebox::SCENARIOS,
        connection_refused::SCENARIOS,
        connection_limit::SCENARIOS,
        backend_abort::SCENARIOS,
        backend_restart::SCENARIOS,
        client_abort::SCENARIOS,
        proxy_timeout::SCENARIOS,
        proxy_crash::SCENARIOS,
        websocket::SCENARIOS,
        real_server::SCENARIOS,
        grpc::SCENARIOS,
        control::SCENARIOS,
    ];
    families.concat()
}

/// The race that is told of before it happens.
pub fn foretold() -> Scenario {
    keepalive_race::FORETOLD
}

/// The scenario of this name.
pub fn named(name: &str) -> Result<Scenario> {
    let found = all().into_iter().find(|scenario| scenario.name == name);
    found.with_context(|| format!("no scenario is called {name:?}; `lab list` names them"))
}

/// The scenarios of these names; all if none is given.
pub fn chosen(names: &[String]) -> Result<Vec<Scenario>> {
    if names.is_empty() { Ok(all()) } else { names.iter().map(|name| named(name)).collect() }
}

/// Prints the scenarios' names and deeds.
pub fn list() {
    for scenario in all() {
        println!("{:<24} {}", scenario.name, scenario.deed);
    }
}

/// Runs scenarios without an observer and prints their truth as JSON lines.
pub fn run_alone(names: &[String], family: Family) -> Result<()> {
    programs::require_root()?;
    interrupt::install()?;
    let _machine = MachineLock::take()?;
    let mut failed = Vec::new();
    for scenario in chosen(names)? {
        match scenario.run(family) {
            Ok(truth) => println!("{}", serde_json::json!({ "scenario": scenario.name, "truth": truth })),
            Err(error) => {
                interrupt::check()?;
                eprintln!("lab: {}: {error:#}", scenario.name);
                failed.push(scenario.name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("these scenarios did not do what they claim: {}", failed.join(", "));
    }
    Ok(())
}

impl Scenario {
    /// Sets its stage up, acts and takes the stage down.
    pub fn run(&self, family: Family) -> Result<Truth> {
        let mut stage = Stage::set_up_in(&(self.plan)(family), self.cells.simplest(family))
            .context("the lab itself: cannot set the stage up")?;
        (self.act)(&mut stage)
    }
}
