//! However and whenever the observer ends, the kernel holds nothing of it afterwards; and two of them do not mind each other.

use std::net::{SocketAddr, TcpStream};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use lab::bpf::Loaded;
use lab::judge;
use lab::lock::MachineLock;
use lab::observer::{Observer, Verdict};
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::topology::Family;

const OBSERVE: &[&str] = &["observe", "--output", "json"];
const BY_CGROUP: &[&str] = &["observe", "--output", "json", "--rst-packets=cgroup"];

/// At how many moments between its start and its readiness the observer is killed.
const MOMENTS: u32 = 12;

/// The kernel frees programs and maps in its own time, some of them behind two grace periods of RCU.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn killed_at_any_moment_of_its_start_it_leaves_nothing_in_the_kernel() {
    with_machine(|before| {
        let start = Instant::now();
        let observer = Observer::start(OBSERVE, |_| ())?;
        observer.wait_until_ready()?;
        let to_ready = start.elapsed();
        end(observer, Signal::KILL, before)?;
        let moments = (0..MOMENTS).map(|moment| to_ready * moment / MOMENTS);
        let loaded = moments.map(|moment| kill_after(moment, before)).collect::<Result<Vec<_>>>()?;
        let half_way = loaded.iter().filter(|loaded| !loaded.is_empty()).count();
        println!("ready after {to_ready:?}; {half_way} of {MOMENTS} were killed with something loaded");
        ensure!(half_way > 0, "the lab itself: none was killed while it loaded");
        Ok(())
    });
}

#[test]
fn ended_by_any_signal_it_leaves_nothing_in_the_kernel() {
    with_machine(|before| {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::KILL] {
            let status = end(attached(OBSERVE, before)?, signal, before)?;
            let is_orderly = matches!(signal, Signal::TERM | Signal::INT);
            ensure!(status.success() == is_orderly, "{signal:?} ended it with {status}");
        }
        Ok(())
    });
}

#[test]
fn killed_with_a_program_at_the_root_cgroup_it_leaves_nothing_there() {
    with_machine(|before| {
        let plain = attached(OBSERVE, before)?;
        let without = Loaded::now()?.since(before);
        end(plain, Signal::KILL, before)?;
        let by_cgroup = attached(BY_CGROUP, before)?;
        let ready = by_cgroup.wait_until_ready()?;
        let programs = ready["programs"].as_array().context("no list of programs")?;
        ensure!(programs.iter().any(|name| name == "cgroup_ingress"), "not attached to the cgroup: {ready}");
        // An attachment keeps its program loaded: when that is gone, so is the attachment.
        let with = Loaded::now()?.since(before);
        ensure!(with.programs.len() > without.programs.len(), "with {with:?}, without {without:?}");
        end(by_cgroup, Signal::KILL, before)?;
        Ok(())
    });
}

#[test]
fn killed_in_a_storm_it_leaves_nothing_in_the_kernel() {
    with_machine(|before| {
        let stage = Stage::set_up(&(scenario::named("abort_linger0")?.plan)(Family::V4))?;
        let closed = SocketAddr::new(stage.server().ip(), 4000);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let storm = scope.spawn(|| knock_until(&stage, closed, &over));
            let killed = [0, 30, 170].map(Duration::from_millis).iter().try_for_each(|wait| {
                let observer = attached(OBSERVE, before)?;
                thread::sleep(*wait);
                end(observer, Signal::KILL, before).map(drop)
            });
            over.store(true, Ordering::Relaxed);
            let knocks = storm.join().expect("knocking does not panic")?;
            ensure!(knocks > 1_000, "the lab itself: {knocks} resets are no storm");
            killed
        })
    });
}

#[test]
fn of_two_at_once_the_second_goes_on_when_the_first_is_killed() {
    with_machine(|before| {
        let (first, second) = (Observer::observe()?, Observer::observe()?);
        let both = [&first, &second];
        let [one, other] = name_a_reset(&both)?.try_into().ok().context("two were asked")?;
        ensure!(one == other, "the first says {one}, the second {other}");
        first.signal(Signal::KILL)?;
        drop(first);
        ensure!(name_a_reset(&[&second])? == [one], "the second says something else when it is alone");
        end(second, Signal::TERM, before)?;
        Ok(())
    });
}

fn with_machine(test: impl FnOnce(&Loaded) -> Result<()>) {
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        let before = Loaded::now().expect("root may ask");
        test(&before).expect("the test holds");
    }
}

/// An observer that is ready; it must be seen in the kernel, or that it is not seen later would mean nothing.
fn attached(args: &[&str], before: &Loaded) -> Result<Observer> {
    let observer = Observer::start(args, |_| ())?;
    observer.wait_until_ready()?;
    let loaded = Loaded::now()?.since(before);
    let is_seen = loaded.programs.len() >= 3 && loaded.links.len() >= 3 && loaded.maps.len() >= 3;
    ensure!(is_seen, "a ready observer is not seen in the kernel: {loaded:?}");
    Ok(observer)
}

/// Starts an observer, kills it so much later, and gives what it had in the kernel just before.
fn kill_after(moment: Duration, before: &Loaded) -> Result<Loaded> {
    let observer = Observer::start(OBSERVE, |_| ())?;
    thread::sleep(moment);
    let loaded = Loaded::now()?.since(before);
    let is_ready = observer.bookmark() > 0;
    end(observer, Signal::KILL, before)?;
    Ok(if is_ready { Loaded::default() } else { loaded })
}

/// Ends an observer by this signal, and waits until the kernel holds nothing of it.
fn end(mut observer: Observer, signal: Signal, before: &Loaded) -> Result<ExitStatus> {
    observer.signal(signal)?;
    let status = observer.wait()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = Loaded::now()?.since(before);
        if left.is_empty() {
            return Ok(status);
        }
        ensure!(Instant::now() < deadline, "{PATIENCE:?} after {signal:?} this is left: {left:?}");
        // The kernel does not tell when it is done.
        thread::sleep(Duration::from_millis(5));
    }
}

fn knock_until(stage: &Stage, closed: SocketAddr, over: &AtomicBool) -> Result<u32> {
    stage.net().proxy().inside(|| {
        let mut knocks = 0;
        while !over.load(Ordering::Relaxed) && knocks < 2_000_000 {
            ensure!(TcpStream::connect(closed).is_err(), "the lab itself: {closed} is open");
            knocks += 1;
        }
        Ok(knocks)
    })
}

/// Makes a backend crash with a reset, and gives what each observer says of it.
fn name_a_reset(observers: &[&Observer]) -> Result<Vec<String>> {
    let bookmarks: Vec<usize> = observers.iter().map(|observer| observer.bookmark()).collect();
    let scenario = scenario::named("crash_with_reset")?;
    let mut stage = Stage::set_up(&(scenario.plan)(Family::V4))?;
    let truth = (scenario.act)(&mut stage)?;
    let is_it = |verdict: &Verdict| verdict.leg == "upstream" && judge::concerns(&truth, verdict);
    let said = observers.iter().zip(bookmarks).map(|(observer, since)| {
        let verdict = observer.wait_for_verdict(since, PATIENCE, is_it)?;
        let faults = judge::faults(&truth, std::slice::from_ref(&verdict));
        ensure!(faults.is_empty(), "{faults:?}");
        Ok(format!("{} ({}) by {:?}", verdict.cause, verdict.confidence, verdict.evidence))
    });
    said.collect()
}
