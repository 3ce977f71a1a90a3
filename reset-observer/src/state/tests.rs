use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::{
    attribute::Attributor,
    correlate::learned::{Grade, SavedIdle, SavedSample, SavedSeries},
    decode::Decoder,
    nginx::{
        processes::NginxProcesses,
        sockets::{FoundSockets, NginxSockets},
    },
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn wall(days: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * 20_000 + DAY * days
}

/// A clock that started `seconds` ago.
fn up(seconds: u64) -> KernelTime {
    KernelTime(seconds * 1_000_000_000)
}

fn pipeline() -> Pipeline {
    let sockets = NginxSockets::fixed(FoundSockets::default());
    let attributor = Attributor::new(NginxProcesses::fixed(Vec::new()), sockets);
    Pipeline::new(Decoder::default(), attributor, Duration::from_millis(300))
}

/// A server that keeps idle connections for five seconds, and one that is known by its round trip, heard of 13 days ago.
fn state() -> State {
    let sample = SavedSample { idle_ns: 5_000_000_000, grade: Grade::Clean };
    let idle = SavedIdle { samples: vec![sample; 3], kept_ns: Some(4_000_000_000), age_ms: 1500 };
    let round_trips_ns = SavedSeries { values: vec![57_000; 16], age_ms: 1500 };
    let old = SavedSeries { age_ms: 13 * 24 * 3_600_000, ..round_trips_ns.clone() };
    let server = |server: &str, age_ms, learned| ServerState { server: server.parse().unwrap(), age_ms, learned };
    State {
        saved_at_unix_ms: unix_ms(wall(0)),
        servers: vec![
            server("10.0.0.1:3000", 1500, SavedServer { idle, round_trips_ns, ..SavedServer::default() }),
            server("[fd99::1]:3000", old.age_ms, SavedServer { round_trips_ns: old, ..SavedServer::default() }),
        ],
    }
}

fn learned_timeouts(pipeline: &Pipeline) -> Vec<(String, Duration)> {
    pipeline.idle_timeouts().map(|(server, timeout)| (server.to_string(), timeout.value)).collect()
}

#[test]
fn what_was_learned_is_known_again_at_once_also_after_a_boot() {
    for uptime in [30 * 24 * 3600, 1] {
        let mut pipeline = pipeline();
        assert_eq!(state().recall(&mut pipeline, up(uptime), wall(0)), 2);
        assert_eq!(learned_timeouts(&pipeline), [("10.0.0.1:3000".to_owned(), Duration::from_secs(5))]);
        assert_eq!(
            State::of(&pipeline, up(uptime), wall(0)),
            state(),
            "saved again it is the same, after {uptime} s up"
        );
    }
}

#[test]
fn what_nobody_confirmed_for_two_weeks_is_forgotten() {
    let recalled = |days| state().recall(&mut pipeline(), up(1), wall(days));
    assert_eq!([0, 1, 2, 13, 15].map(recalled), [2, 2, 1, 1, 0]);
    let mut later = pipeline();
    state().recall(&mut later, up(1), wall(13));
    let saved = State::of(&later, up(1), wall(13));
    assert_eq!(saved.recall(&mut pipeline(), up(1), wall(15)), 0, "a restart makes nothing younger");
    let clock_went_back = state().recall(&mut pipeline(), up(1), SystemTime::UNIX_EPOCH);
    assert_eq!(clock_went_back, 2);
}

#[test]
fn a_file_is_replaced_as_a_whole_and_only_its_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = StateFile::at(&dir.path().join("state.json"));
    assert!(matches!(file.load().unwrap(), Found::Nothing));
    file.save(&State::default()).unwrap();
    file.save(&state()).unwrap();
    let Found::State(read) = file.load().unwrap() else { panic!("it was written just now") };
    assert_eq!(read, state());
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_cut_short_anywhere_is_refused_in_words() {
    let whole = format::write(&state()).unwrap();
    assert_eq!(format::read(&whole).unwrap(), state());
    for length in 0..whole.len() {
        let reason = format!("{:#}", format::read(&whole[..length]).unwrap_err());
        assert!(reason.contains("first line") || reason.contains("checksum"), "{length} bytes: {reason}");
    }
}

#[test]
fn a_file_with_any_byte_changed_is_refused() {
    let whole = format::write(&state()).unwrap();
    for at in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            assert!(format::read(&damaged).is_err_and(|reason| !reason.to_string().is_empty()), "byte {at}");
        }
    }
}

#[test]
fn each_kind_of_damage_has_its_words() {
    let reason = |bytes: &[u8]| format!("{:#}", format::read(bytes).unwrap_err());
    assert!(reason(b"").contains("no end"));
    assert!(reason(b"\0\0\0\n").contains("not that of a state file"));
    assert!(
        reason(
            br#"{"format":"another","version":1}
"#
        )
        .contains("another")
    );
    let newer = String::from_utf8(format::write(&state()).unwrap()).unwrap().replace("\"version\":1", "\"version\":2");
    assert!(reason(newer.as_bytes()).contains("version 2"));
    assert!(reason(&vec![b' '; (16 << 20) + 1]).contains("16 MiB"));
}

#[test]
fn a_damaged_file_is_kept_aside_and_another_one_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = StateFile::at(&dir.path().join("state.json"));
    fs::write(file.path(), "half a fi").unwrap();
    let Found::Damaged { moved_to, .. } = file.load().unwrap() else { panic!("half a file") };
    assert_eq!(fs::read_to_string(moved_to).unwrap(), "half a fi");
    file.save(&state()).unwrap();
    assert!(matches!(file.load().unwrap(), Found::State(_)));
}

#[test]
fn what_is_no_file_or_cannot_be_written_is_said_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let reason = format!("{:#}", StateFile::at(dir.path()).load().unwrap_err());
    assert!(reason.contains("regular file") && reason.contains(&*dir.path().to_string_lossy()), "{reason}");
    let nowhere = dir.path().join("missing/state.json");
    let reason = format!("{:#}", StateFile::at(&nowhere).save(&state()).unwrap_err());
    assert!(reason.contains("missing/state.json") && reason.contains("No such file"), "{reason}");
}
