//! Each verdict names the request that its connection carried, or none: whatever else fails at the same time, while the
//! log is rotated, with garbage in it, and without it.

#[path = "error_log_join/place.rs"]
mod place;
#[path = "error_log_join/traffic.rs"]
mod traffic;
#[path = "error_log_join/truth.rs"]
mod truth;
#[path = "error_log_join/verdicts.rs"]
mod verdicts;

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs::has_root;
use lab::stage::BACKEND_PORT;

use place::Place;
use truth::{End, tries};
use verdicts::Verdicts;

/// The longest time between two looks at a log whose file system tells nothing of writes.
const LOOK: Duration = Duration::from_millis(250);

/// All that root needs, but for reading the files of others.
const MAY_NOT_READ_ALL: &[&str] = &["bpf", "perfmon", "sys_ptrace"];

#[test]
fn of_a_thousand_failures_none_is_given_anothers_request_and_a_rotation_loses_none() {
    if has_root() {
        thousand().unwrap();
    }
}

fn thousand() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::set_up()?;
    let observer = Observer::observe()?;
    let mut asked = traffic::apart(&place, 0..60)?;
    let rotated = asked.len()..asked.len() + 200;
    thread::scope(|scope| {
        let paced = scope.spawn(|| traffic::close(&place, rotated));
        thread::sleep(Duration::from_millis(500));
        place.rotate_by_rename()?;
        asked.extend(paced.join().expect("asking does not panic")?);
        anyhow::Ok(())
    })?;
    asked.extend(traffic::burst(&place, asked.len()..asked.len() + 1000)?);
    asked.extend(traffic::apart(&place, asked.len()..asked.len() + 60)?);
    let tries = tries(&place, &asked)?;
    ensure!(tries.len() > 1000, "the lab itself: only {} tries failed", tries.len());
    Verdicts::of_all(&observer, &tries)?.assert_right(&tries);
    Ok(())
}

#[test]
fn a_log_that_is_cut_in_place_loses_none_and_without_a_log_the_causes_are_the_same() {
    if has_root() {
        cut_in_place().unwrap();
    }
}

fn cut_in_place() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::set_up()?;
    place.hide_log()?;
    let observer = Observer::observe()?;
    let port = BACKEND_PORT.to_string();
    let usual = ["observe", "--port", &port, "--output", "json", "--all"];
    let blind = Observer::start_with(MAY_NOT_READ_ALL, &usual)?;
    blind.wait_until_ready()?;
    let mut asked = traffic::apart(&place, 0..80)?;
    for _ in 0..2 {
        asked.extend(traffic::close(&place, asked.len()..asked.len() + 60)?);
        // Every reader has read by then, so that nothing is lost between the copy and the cut.
        thread::sleep(LOOK);
        place.rotate_by_copy()?;
    }
    let tries = tries(&place, &asked)?;
    let seeing = Verdicts::of_all(&observer, &tries)?;
    seeing.assert_right(&tries);
    let blind = Verdicts::of_all(&blind, &tries)?;
    for attempt in &tries {
        assert_eq!(blind.request(attempt), None, "{}", attempt.line);
        // A response that a FIN cut looks like one that is over: only the log tells.
        if attempt.end != End::CutShort {
            assert_eq!(blind.cause(attempt), seeing.cause(attempt), "{}", attempt.line);
        }
    }
    Ok(())
}

#[test]
fn garbage_in_the_log_keeps_no_request_from_its_verdict() {
    if has_root() {
        garbage().unwrap();
    }
}

fn garbage() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::set_up()?;
    let observer = Observer::observe()?;
    let long = [&[b'x'; 100_000][..], b"\n"].concat();
    let binary: Vec<u8> =
        (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).chain([b'\n']).collect();
    let zeros = [&[0; 100_000][..], b"\n"].concat();
    let mut asked = Vec::new();
    for scribble in [long, binary, zeros, b"\n\n\n\n".to_vec()] {
        asked.extend(traffic::apart(&place, asked.len()..asked.len() + 27)?);
        place.scribble(&scribble)?;
    }
    asked.extend(traffic::apart(&place, asked.len()..asked.len() + 27)?);
    let tries = tries(&place, &asked)?;
    Verdicts::of_all(&observer, &tries)?.assert_right(&tries);
    Ok(())
}
