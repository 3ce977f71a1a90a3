use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

fn asked(path: &Path, overwrite: bool) -> Result<ReportFile> {
    let args = ReportArgs { report: Some(path.to_owned()), report_overwrite: overwrite };
    ReportFile::open(&args).map(Option::unwrap)
}

fn refusal(path: &Path, overwrite: bool) -> String {
    format!("{:#}", asked(path, overwrite).map(|_| ()).unwrap_err())
}

fn names(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_report_is_written_as_a_whole_for_its_owner_only_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.html");
    let file = asked(&path, false).unwrap();
    assert!(names(directory.path()).is_empty(), "to ask whether it can be written leaves nothing");
    file.write("whole").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(directory.path()), ["out.html"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_at_once_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let said = refusal(&directory.path().join("not/there/out.html"), false);
    assert!(said.starts_with("cannot report to ") && said.contains("make its directory"), "{said}");
    assert!(refusal(Path::new("/"), false).contains("name one, such as report.html"));
    assert!(refusal(directory.path(), true).contains("name another file"));
    assert!(refusal(Path::new("/dev/null"), true).contains("name another file"));
}

#[test]
fn an_older_report_is_overwritten_only_when_told_and_any_other_file_never() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.html");
    fs::write(&path, format!("{REPORT_MARK}old")).unwrap();
    assert!(refusal(&path, false).contains("say --report-overwrite"));
    asked(&path, true).unwrap().write("new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert!(refusal(&path, true).contains("is no report, which is not overwritten"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn a_report_whose_name_was_taken_meanwhile_is_kept_under_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.html");
    let file = asked(&path, false).unwrap();
    fs::write(&path, "somebody else's").unwrap();
    let said = format!("{:#}", file.write("an hour of work").unwrap_err());
    assert!(said.contains("it is kept as "), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");
    let kept = said.split("it is kept as ").nth(1).unwrap().split(':').next().unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "an hour of work");
}
