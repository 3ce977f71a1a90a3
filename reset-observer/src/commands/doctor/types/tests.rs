use anyhow::anyhow;

use super::*;
use crate::{
    kernel::btf_path,
    sink::checks::{Kind, State},
};

#[test]
fn each_missing_field_has_a_line_below_the_sum() {
    let refused = ["tcp_sock.lsndtime: tcp_sock has no member lsndtime".to_owned(), "sock.sk_err: 8 bytes".to_owned()];
    let checks = fields(&refused);
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["fields", "field tcp_sock.lsndtime", "field sock.sk_err"]);
    assert!(checks[0].found.starts_with("2 of "), "{}", checks[0].found);
    assert_eq!(checks[1].found, "tcp_sock has no member lsndtime");
    assert!(checks.iter().all(|check| check.is_in_the_way() && check.remedy.is_some()));
}

#[test]
fn fields_that_are_all_there_are_one_line() {
    let checks = fields(&[]);
    assert_eq!((checks.len(), checks[0].state), (1, State::Ok));
}

#[test]
fn a_tracepoint_is_there_too_old_too_short_or_unknown() {
    let state = |arity, needed| Check::required("tracepoint x", tracepoint(arity, needed));
    assert_eq!(state(Some(Ok(Some(3))), 2).found, "3 arguments");
    assert_eq!(state(Some(Ok(Some(1))), 1).found, "1 argument");
    assert_eq!(state(Some(Ok(Some(1))), 2).found, "1 argument, at least 2 needed");
    assert!(state(Some(Ok(None)), 1).remedy.is_some_and(|remedy| remedy.contains("5.10")));
    assert_eq!(state(Some(Err(anyhow!("damaged"))), 1).state, State::Unknown);
    assert_eq!(state(None, 1).state, State::Unknown);
}

#[test]
fn without_type_information_every_line_is_there_and_says_why_nothing_is_known() {
    let none = Err(anyhow!("no such file"));
    let checks = required(&none);
    assert_eq!(checks[0].state, State::Missing);
    assert!(checks[1..].iter().all(|check| check.state == State::Unknown && check.found == NO_TYPES));
    assert_eq!(checks.len(), 3 + TRACEPOINTS.len());
    let listed = optional(&none, None);
    assert!(listed.len() >= 5 && listed.iter().all(|check| check.state == State::Unknown), "{listed:?}");
}

#[test]
fn a_feature_says_what_it_is_for_and_what_brings_it() {
    let mut one = Feature { name: "x", present: true, purpose: "the x of y", remedy: "Linux 9" };
    assert_eq!(feature(&one, true), Finding::ok("the x of y"));
    one.present = false;
    assert_eq!(feature(&one, true), Finding::missing("not on this kernel: the x of y", "Linux 9"));
}

#[test]
fn the_features_in_use_count_more_than_what_the_types_promise() {
    let used = vec![Feature { name: "x", present: false, purpose: "y", remedy: "z" }];
    let checks = optional(&Ok(Btf::default()), Some(used));
    assert_eq!((checks.len(), checks[0].kind, checks[0].state), (1, Kind::Optional, State::Missing));
}

#[test]
fn the_running_kernel_has_all_that_is_required() {
    if !btf_path().exists() {
        eprintln!("left out: this kernel has no BTF");
        return;
    }
    let checks = required(&Btf::load(btf_path()));
    assert!(checks.iter().all(|check| check.state == State::Ok), "{checks:#?}");
}

#[test]
fn maps_are_no_locked_memory_where_nothing_says_so() {
    assert!(!maps_are_locked_memory(&Ok(Btf::default())));
    assert!(!maps_are_locked_memory(&Err(anyhow!("no such file"))));
}
