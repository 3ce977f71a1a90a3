use std::{fs::File, io, path::Path};

use jiff::{Timestamp, civil::date, tz::TimeZone};

use super::Zone;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_hour_that_comes_twice_is_the_one_nearer_to_now() {
    let zone = Zone::fixed(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
    let written = date(2026, 10, 25).at(2, 30, 0, 0);
    assert_eq!(zone.instant(written, at("2026-10-25T00:30:01Z")), Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(zone.instant(written, at("2026-10-25T01:30:01Z")), Some(at("2026-10-25T01:30:00Z")));
    let elsewhen = date(2026, 11, 22).at(13, 45, 3, 0);
    assert_eq!(zone.instant(elsewhen, at("2026-11-22T12:45:03Z")), Some(at("2026-11-22T12:45:03Z")));
}

#[test]
fn an_hour_that_the_clock_left_out_is_still_an_instant() {
    let zone = Zone::fixed(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
    let instant = zone.instant(date(2026, 3, 29).at(2, 30, 0, 0), at("2026-03-29T01:30:00Z"));
    assert_eq!(instant, Some(at("2026-03-29T01:30:00Z")));
}

#[test]
fn a_process_has_the_zone_of_its_variable_else_of_its_root_else_utc() {
    let nothing = |_: &Path| -> io::Result<File> { Err(io::ErrorKind::NotFound.into()) };
    let noon = date(2026, 11, 22).at(12, 0, 0, 0);
    let near = at("2026-11-22T12:00:00Z");
    let utc = |zone: Zone| zone.instant(noon, near).unwrap();
    assert_eq!(utc(Zone::of_process(None, nothing)), near);
    assert_eq!(utc(Zone::of_process(Some(""), nothing)), near);
    assert_eq!(utc(Zone::of_process(Some("JST-9"), nothing)), at("2026-11-22T03:00:00Z"));
    assert_eq!(utc(Zone::of_process(Some("no such zone"), nothing)), near);
}

#[test]
fn the_root_of_the_process_has_the_zone_file() {
    let root = tempfile::tempdir().unwrap();
    // A zone file of version 1 with one type: UTC+9, called "JST".
    let mut file = b"TZif\0".to_vec();
    file.extend([0; 15]);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        file.extend(count.to_be_bytes());
    }
    file.extend(32_400_i32.to_be_bytes());
    file.extend([0, 0]);
    file.extend(b"JST\0");
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    std::fs::write(root.path().join("etc/localtime"), file).unwrap();
    let open = |path: &Path| File::open(root.path().join(path.strip_prefix("/").unwrap()));
    let noon = date(2026, 11, 22).at(12, 0, 0, 0);
    let instant = Zone::of_process(None, open).instant(noon, at("2026-11-22T03:00:00Z"));
    assert_eq!(instant, Some(at("2026-11-22T03:00:00Z")));
}
