//! Writers that do not wait for anyone while their log is rotated.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use super::{Followed, Start};

const LINES: usize = 20_000;
const WRITERS: usize = 3;

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// Writes its lines as an nginx worker does: one write each, and another file when it is told to reopen.
fn write_lines(path: &Path, writer: usize, generation: &AtomicU64) {
    let mut known = 0;
    let mut file = open(path);
    for n in 0..LINES {
        if n % 50 == 49 {
            thread::sleep(Duration::from_millis(2));
        }
        // Each worker gets round to reopening at its own time.
        let now = generation.load(Ordering::SeqCst);
        if now != known && n % (writer * 37 + 1) == 0 {
            (known, file) = (now, open(path));
        }
        file.write_all(format!("{writer} {n}\n").as_bytes()).unwrap();
    }
}

#[test]
fn no_line_is_lost_or_told_twice_over_rotations_in_the_middle_of_writing() {
    let mut log = Followed::start("", Start::End);
    let (path, generation) = (log.path.clone(), AtomicU64::new(0));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, generation) = (&path, &generation);
            scope.spawn(move || write_lines(path, writer, generation));
        }
        scope.spawn(|| {
            for n in 1..=3 {
                thread::sleep(Duration::from_millis(300));
                fs::rename(&path, path.with_extension(n.to_string())).unwrap();
                generation.store(n, Ordering::SeqCst);
            }
        });
        let mut seen = BTreeSet::new();
        while seen.len() < LINES * WRITERS {
            assert!(seen.insert(log.line()), "told twice");
        }
    });
    // Of the last one nothing shows if all was written by then.
    assert!(log.count(|counts| &counts.rotations) >= 2);
}

#[test]
fn copytruncate_in_the_middle_of_writing_loses_nothing_that_was_read_before_it() {
    let mut log = Followed::start("", Start::End);
    for round in 0..20 {
        let mut held = open(&log.path);
        for n in 0..50 {
            held.write_all(format!("{round} {n}\n").as_bytes()).unwrap();
        }
        assert_eq!(log.until(&format!("{round} 49")).len(), 50);
        fs::copy(&log.path, log.path.with_extension("1")).unwrap();
        OpenOptions::new().write(true).truncate(true).open(&log.path).unwrap();
    }
    assert_eq!(log.count(|counts| &counts.skipped_bytes), 0);
}
