//! Two nginx side by side, one of them in a box: each verdict names the right instance, worker, upstream, server and
//! request, whatever becomes of the processes and of the configuration.

#[path = "attribution/house.rs"]
mod house;
#[path = "attribution/told.rs"]
mod told;
#[path = "attribution/truth.rs"]
mod truth;

use anyhow::{Result, bail, ensure};

use house::House;
use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs::has_root;
use truth::{Joined, Sent, assert_of_these, check_resets};

const ARGS: &[&str] = &["observe", "--output", "json", "--all"];

/// Requests at once.
const MANY: usize = 8;

#[test]
fn each_verdict_names_the_right_instance_worker_upstream_server_and_request() {
    if has_root() {
        two_instances().unwrap();
    }
}

fn two_instances() -> Result<()> {
    let _machine = MachineLock::take()?;
    let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
    let mut houses = [House::on_host(scratch.path(), 3000)?, House::boxed(scratch.path(), 3001, "shop")?];
    let observer = with_older_connections(&mut houses)?;
    strike_both(&observer, &mut houses)?;
    for names in [["first", "second"], ["third", "fourth"]] {
        reload(&observer, &mut houses, names)?;
    }
    for house in &mut houses {
        kill_worker(&observer, house)?;
        strike(&observer, house)?;
    }
    let [_, boxed] = &mut houses;
    upgrade(&observer, boxed)?;
    assert_of_these(&observer, &houses);
    // What a reload reads is what nginx reads, though old workers serve on for a moment.
    let ours = scratch.path().display().to_string();
    let complaints: Vec<String> = observer.complaints().into_iter().filter(|line| line.contains(&ours)).collect();
    ensure!(!complaints.iter().any(|line| line.contains("was written")), "{complaints:#?}");
    Ok(())
}

/// Starts the observer when connections are open already, has these reset, and checks what is said of them.
fn with_older_connections(houses: &mut [House; 2]) -> Result<Observer> {
    let mut pools = Vec::new();
    for house in houses.iter_mut() {
        let mut clients = house.clients(MANY)?;
        house.send_all(0, "delay/600", &mut clients)?;
        for client in &mut clients {
            ensure!(client.receive()?.status == 200, "the lab itself: no answer");
        }
        pools.push((clients, house.accepted()));
    }
    let observer = Observer::start(ARGS, |_| ())?;
    observer.wait_until_ready()?;
    for (house, (clients, accepted)) in houses.iter_mut().zip(&mut pools) {
        let sent = house.send_all(observer.bookmark(), "reset-after/100", clients)?;
        ensure!(house.accepted() < *accepted + MANY, "the lab itself: the connections are all new ones");
        check_resets(&observer, house, &sent, clients)?;
    }
    Ok(observer)
}

/// Has many requests reset on both at the same time, then on each.
fn strike_both(observer: &Observer, houses: &mut [House; 2]) -> Result<()> {
    let mut struck = Vec::new();
    for house in houses.iter_mut() {
        let mut clients = house.clients(MANY)?;
        struck.push((house.send_all(observer.bookmark(), "reset-after/100", &mut clients)?, clients));
    }
    for (house, (sent, mut clients)) in houses.iter().zip(struck) {
        check_resets(observer, house, &sent, &mut clients)?;
    }
    houses.iter_mut().try_for_each(|house| strike(observer, house))
}

/// Has many requests reset at once, then one alone.
fn strike(observer: &Observer, house: &mut House) -> Result<()> {
    let mut clients = house.clients(MANY)?;
    let sent = house.send_all(observer.bookmark(), "linger0", &mut clients)?;
    let Joined { verdicts, requests } = check_resets(observer, house, &sent, &mut clients)?;
    println!("{requests} of {verdicts} requests were named");
    // On a busy machine a line may come too late for its verdict.
    for _ in 0..3 {
        let mut alone = house.clients(1)?;
        let sent = house.send_all(observer.bookmark(), "linger0", &mut alone)?;
        if check_resets(observer, house, &sent, &mut alone)?.requests == 1 {
            return Ok(());
        }
    }
    bail!("resets that come alone do not name their requests: {:#?}", observer.complaints())
}

/// Reloads under another name; requests that old workers still serve lead to the old one.
fn reload(observer: &Observer, houses: &mut [House; 2], names: [&str; 2]) -> Result<()> {
    let mut under_way = Vec::new();
    for (house, name) in houses.iter_mut().zip(names) {
        let mut clients = house.clients(MANY)?;
        let sent = house.send_all(observer.bookmark(), "reset-after/1200", &mut clients)?;
        house.reload_as(name)?;
        under_way.push((sent, clients));
    }
    strike_both(observer, houses)?;
    for (house, (sent, mut clients)) in houses.iter().zip(under_way) {
        check_resets(observer, house, &sent, &mut clients)?;
    }
    Ok(())
}

/// Kills a worker that serves a request; what is said of the requests that others serve is checked.
fn kill_worker(observer: &Observer, house: &mut House) -> Result<()> {
    let mut clients = house.clients(MANY)?;
    let sent = house.send_all(observer.bookmark(), "reset-after/1500", &mut clients)?;
    house.kill_worker_of(&sent[0])?;
    let answered = clients.iter_mut().map(|client| client.receive().is_ok());
    let survivors: Vec<Sent> = sent.iter().zip(answered).filter(|(_, ok)| *ok).map(|(sent, _)| sent.clone()).collect();
    ensure!(survivors.len() < sent.len(), "the lab itself: the killed worker served nothing");
    check_resets(observer, house, &survivors, &mut [])?;
    Ok(())
}

/// Upgrades the binary, with another name for the upstream block; old and new workers serve side by side.
fn upgrade(observer: &Observer, house: &mut House) -> Result<()> {
    let old = house.upgrade_as("fifth")?;
    for _ in 0..3 {
        strike(observer, house)?;
    }
    house.boxed_nginx()?.retire_workers(old)?;
    strike(observer, house)?;
    house.boxed_nginx()?.retire(old)?;
    strike(observer, house)
}
