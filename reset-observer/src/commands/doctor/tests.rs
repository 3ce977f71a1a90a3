use super::*;
use crate::sink::checks::Finding;

#[test]
fn a_host_with_everything_required_is_fit_whatever_is_optional() {
    let checks =
        [Check::required("btf", Finding::ok("there")), Check::optional("nginx", Finding::missing("none", "start it"))];
    assert!(conclude(&checks).is_ok());
}

#[test]
fn what_is_missing_or_unknown_is_named_and_ends_with_two() {
    let checks = [
        Check::required("btf", Finding::ok("there")),
        Check::required("capabilities", Finding::missing("none", "grant them")),
        Check::required("programs", Finding::unknown("not tried", "grant them")),
    ];
    let failure = conclude(&checks).unwrap_err();
    assert!(matches!(failure, Failure::Prerequisite(_)));
    let message = failure.error().to_string();
    assert!(message.contains("2 of 3 requirements") && message.ends_with("capabilities, programs"), "{message}");
}

/// As root this loads the programs for an instant, which needs an event loop.
#[tokio::test]
async fn every_line_has_a_name_of_its_own_and_a_remedy_unless_it_is_ok() {
    let checks = examine();
    let mut names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), checks.len());
    for check in &checks {
        assert_eq!(check.remedy.is_none(), check.state == checks::State::Ok, "{check:?}");
        assert!(!check.found.is_empty());
    }
}
