use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{Follower, Log, LogEvent, Opener, Start, Target, splitter::MAX_BYTES};
use crate::nginx::error_log::join::LogId;

mod storm;

const ID: LogId = LogId { instance: 1, file: 0 };

/// Long enough for a machine that is busy; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(20);

fn opener() -> Opener {
    Arc::new(|path: &Path| File::open(path))
}

fn log(path: &Path, start: Start) -> Log {
    Log { id: ID, path: path.to_owned(), open: opener(), start }
}

struct Followed {
    follower: Follower,
    runtime: tokio::runtime::Runtime,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Followed {
    /// Follows a log that holds `text`, and waits until it is open.
    fn start(text: &str, start: Start) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("error.log");
        fs::write(&path, text).unwrap();
        let follower = Follower::start(vec![log(&path, start)], 64).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut followed = Self { follower, runtime, path, _dir: dir };
        followed.until_open();
        followed
    }

    /// A line of its own that is seen shows that the file is open.
    fn until_open(&mut self) {
        for n in 0.. {
            append(&self.path, &format!("open {n}\n"));
            let next = async { tokio::time::timeout(Duration::from_millis(300), self.follower.events.recv()).await };
            let Ok(event) = self.runtime.block_on(next) else { continue };
            let last = format!("open {n}");
            if text(event.unwrap()) != last {
                self.until(&last);
            }
            return;
        }
    }

    fn event(&mut self) -> LogEvent {
        let next = async { tokio::time::timeout(PATIENCE, self.follower.events.recv()).await };
        self.runtime.block_on(next).expect("an event in time").expect("a follower that lives")
    }

    fn line(&mut self) -> String {
        text(self.event())
    }

    fn until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != last) {
            lines.push(self.line());
        }
        lines
    }

    fn count(&self, counter: impl Fn(&super::FollowCounts) -> &std::sync::atomic::AtomicU64) -> u64 {
        counter(&self.follower.counts).load(Ordering::Relaxed)
    }
}

fn text(event: LogEvent) -> String {
    match event {
        LogEvent::Line(found) => {
            assert!(found.after <= found.seen.at);
            String::from_utf8_lossy(&found.bytes).into_owned()
        }
        LogEvent::Skipped { .. } | LogEvent::Unavailable { .. } => panic!("{event:?}"),
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_are_told_from_the_end_of_the_log_on() {
    let mut log = Followed::start("before\n", Start::End);
    append(&log.path, "one\ntwo\n");
    assert_eq!([log.line(), log.line()], ["one", "two"]);
}

#[test]
fn the_last_bytes_of_a_log_are_read_from_the_first_whole_line_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("error.log");
    fs::write(&path, "aaaa\nbbbb\ncccc\n").unwrap();
    for (last, first) in [(7, "cccc"), (10, "bbbb"), (100, "aaaa")] {
        let mut follower = Follower::start(vec![log(&path, Start::Last(last))], 8).unwrap();
        assert_eq!(text(follower.events.blocking_recv().unwrap()), first);
    }
}

#[test]
fn a_line_that_is_completed_later_is_told_once_and_whole() {
    let mut log = Followed::start("", Start::End);
    append(&log.path, "first ha");
    thread::sleep(Duration::from_millis(30));
    append(&log.path, "lf\nnext\n");
    assert_eq!([log.line(), log.line()], ["first half", "next"]);
}

#[test]
fn a_line_of_a_hundred_kilobytes_is_cut_and_counted() {
    let mut log = Followed::start("", Start::End);
    append(&log.path, &format!("{}\nnext\n", "x".repeat(100_000)));
    assert_eq!(log.line().len(), MAX_BYTES);
    assert_eq!(log.line(), "next");
    assert_eq!(log.count(|counts| &counts.cut), 1);
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_are() {
    let mut log = Followed::start("", Start::End);
    let mut file = OpenOptions::new().append(true).open(&log.path).unwrap();
    file.write_all(b"\xff\x00\xfe\n").unwrap();
    let LogEvent::Line(found) = log.event() else { panic!("no line") };
    assert_eq!(found.bytes, b"\xff\x00\xfe");
}

#[test]
fn what_is_written_to_the_old_file_after_a_rotation_is_told_too() {
    let mut log = Followed::start("", Start::End);
    let mut held = OpenOptions::new().append(true).open(&log.path).unwrap();
    fs::rename(&log.path, log.path.with_extension("1")).unwrap();
    held.write_all(b"before reopening\n").unwrap();
    assert_eq!(log.line(), "before reopening");
    append(&log.path, "in the new one\n");
    assert_eq!(log.line(), "in the new one");
    held.write_all(b"by a late worker\n").unwrap();
    assert_eq!(log.line(), "by a late worker");
    assert_eq!(log.count(|counts| &counts.rotations), 1);
}

#[test]
fn a_log_that_is_deleted_and_made_again_is_read_from_its_beginning() {
    let mut log = Followed::start("", Start::End);
    fs::remove_file(&log.path).unwrap();
    append(&log.path, "new\n");
    assert_eq!(log.line(), "new");
}

#[test]
fn a_log_that_is_cut_in_place_is_read_from_its_beginning() {
    let mut log = Followed::start(&"before\n".repeat(100), Start::End);
    OpenOptions::new().write(true).truncate(true).open(&log.path).unwrap();
    append(&log.path, "short\n");
    assert_eq!(log.line(), "short");
    assert_eq!(log.count(|counts| &counts.truncations), 1);
}

#[test]
fn a_log_that_was_cut_and_has_outgrown_its_old_length_at_once_is_read_from_its_beginning() {
    let mut log = Followed::start("", Start::End);
    append(&log.path, "a\n");
    assert_eq!(log.line(), "a");
    // One write over the old text: no size in between is shorter.
    let mut over = OpenOptions::new().write(true).open(&log.path).unwrap();
    over.write_all(format!("{}\n", "b".repeat(200)).as_bytes()).unwrap();
    assert_eq!(log.line(), "b".repeat(200));
}

#[test]
fn a_log_that_was_cut_and_has_its_old_length_again_is_read_from_its_beginning() {
    let mut log = Followed::start("", Start::End);
    append(&log.path, "a\n");
    assert_eq!(log.line(), "a");
    let length = fs::metadata(&log.path).unwrap().len();
    let same_length = format!("{}\n", "b".repeat(usize::try_from(length).unwrap() - 1));
    OpenOptions::new().write(true).open(&log.path).unwrap().write_all(same_length.as_bytes()).unwrap();
    assert_eq!(log.line(), same_length.trim_end());
}

#[test]
fn a_log_that_does_not_exist_is_named_and_followed_when_it_appears() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("error.log");
    let mut follower = Follower::start(vec![log(&path, Start::End)], 8).unwrap();
    let LogEvent::Unavailable { unavailable, .. } = follower.events.blocking_recv().unwrap() else { panic!() };
    assert!(unavailable.to_string().ends_with("it does not exist; it is followed from when it appears"));
    append(&path, "first\n");
    assert_eq!(text(follower.events.blocking_recv().unwrap()), "first");
}

#[test]
fn a_pipe_is_named_as_unavailable_and_nothing_is_taken_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Both ends are held open, so that opening it does not block.
    let mut held = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    held.write_all(b"for its reader\n").unwrap();
    let mut follower = Follower::start(vec![log(&path, Start::End)], 8).unwrap();
    let LogEvent::Unavailable { unavailable, .. } = follower.events.blocking_recv().unwrap() else { panic!() };
    assert!(unavailable.why.starts_with("it is a pipe"), "{unavailable}");
    drop(follower);
    let mut left = [0; 15];
    std::io::Read::read_exact(&mut held, &mut left).unwrap();
    assert_eq!(&left, b"for its reader\n");
}

#[test]
fn logs_are_added_and_removed() {
    let mut log = Followed::start("", Start::End);
    let other = log.path.with_file_name("other.log");
    let id = LogId { instance: 1, file: 1 };
    append(&other, "of the other\n");
    log.follower.add(Log { id, path: other, open: opener(), start: Start::Last(100) });
    let LogEvent::Line(found) = log.event() else { panic!("no line") };
    assert_eq!((found.log, &found.bytes[..]), (id, &b"of the other"[..]));
    log.follower.remove(id);
}

#[test]
fn targets_that_are_no_files_are_named_with_a_remedy() {
    for parameter in ["stderr", "/dev/stdout", "syslog:server=10.0.0.1", "memory:32m"] {
        let Target::Unavailable(unavailable) = Target::of(parameter) else { panic!("{parameter}") };
        let text = unavailable.to_string();
        assert!(text.contains(parameter) && text.contains("add a second `error_log`"), "{text}");
    }
    assert_eq!(Target::of("/dev/null"), Target::Nowhere);
    assert_eq!(Target::of("logs/error.log"), Target::File("logs/error.log".into()));
}

#[test]
fn a_follower_of_nothing_takes_a_log_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("error.log");
    append(&path, "one\n");
    let mut follower = Follower::start(Vec::new(), 8).unwrap();
    follower.add(log(&path, Start::Last(100)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let next = async { tokio::time::timeout(PATIENCE, follower.events.recv()).await };
    assert_eq!(text(runtime.block_on(next).expect("a line in time").unwrap()), "one");
}

#[test]
fn the_thread_ends_with_its_follower_also_while_it_waits_for_nothing() {
    let follower = Follower::start(Vec::new(), 8).unwrap();
    let held_by_the_thread = Arc::downgrade(&follower.counts);
    thread::sleep(Duration::from_millis(50));
    drop(follower);
    let deadline = std::time::Instant::now() + PATIENCE;
    while held_by_the_thread.strong_count() > 0 {
        assert!(std::time::Instant::now() < deadline, "the thread goes on");
        thread::sleep(Duration::from_millis(5));
    }
}
