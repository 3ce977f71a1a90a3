use super::*;
use crate::sink::checks::State;

const LOADER: CapabilitySet = CapabilitySet::BPF.union(CapabilitySet::PERFMON);

fn harmless() -> Surroundings {
    Surroundings {
        lockdown: Some("none".to_owned()),
        seccomp_mode: Some(0),
        unprivileged_bpf_disabled: Some(2),
        user_namespace: Some(FIRST_USER_NAMESPACE),
        pid_namespace: Some(FIRST_PID_NAMESPACE),
        locked_memory_limit: None,
    }
}

fn names(surroundings: &Surroundings, effective: CapabilitySet) -> Vec<String> {
    surroundings.explain_refusal(Some(effective)).into_iter().map(|check| check.name).collect()
}

#[test]
fn what_is_harmless_explains_nothing() {
    assert_eq!(names(&harmless(), LOADER), [""; 0]);
    assert_eq!(harmless().explain_no_nginx(), None);
    assert_eq!(names(&Surroundings::default(), LOADER), [""; 0], "nor does what cannot be read");
}

#[test]
fn lockdown_is_told_in_the_mode_that_forbids_reading_alone() {
    let locked = |mode: &str| Surroundings { lockdown: Some(mode.to_owned()), ..harmless() };
    assert_eq!(names(&locked("confidentiality"), LOADER), ["lockdown"]);
    assert_eq!(names(&locked("integrity"), LOADER), [""; 0]);
}

#[test]
fn a_seccomp_filter_is_suspected_only_where_the_capabilities_are_there() {
    let filtered = Surroundings { seccomp_mode: Some(SECCOMP_FILTER), ..harmless() };
    assert_eq!(names(&filtered, LOADER), ["seccomp"]);
    assert_eq!(filtered.explain_refusal(Some(LOADER))[0].state, State::Unknown);
    assert_eq!(names(&filtered, CapabilitySet::empty()), ["unprivileged_bpf_disabled"]);
}

#[test]
fn a_user_namespace_explains_why_capabilities_do_not_count() {
    let inside = Surroundings { user_namespace: Some(4_026_532_000), ..harmless() };
    let check = inside.explain_refusal(Some(LOADER)).remove(0);
    assert!(check.is_in_the_way() && check.found.contains("do not count"), "{check:?}");
}

#[test]
fn a_pid_namespace_explains_why_no_nginx_is_in_sight() {
    let inside = Surroundings { pid_namespace: Some(4_026_532_001), ..harmless() };
    assert!(inside.explain_no_nginx().is_some_and(|check| check.remedy.unwrap().contains("hostPID")));
}

#[test]
fn a_small_limit_of_locked_memory_is_suspected_unless_it_can_be_raised() {
    let limited = Surroundings { locked_memory_limit: Some(64 << 10), ..harmless() };
    assert_eq!(names(&limited, LOADER), ["locked_memory"]);
    assert_eq!(names(&limited, LOADER | CapabilitySet::SYS_RESOURCE), [""; 0]);
}

#[test]
fn the_kernels_words_are_read_as_it_writes_them() {
    assert_eq!(lockdown_mode("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
    assert_eq!(lockdown_mode("[none] integrity confidentiality\n").as_deref(), Some("none"));
    assert_eq!(lockdown_mode("nonsense"), None);
    assert_eq!(seccomp_mode("Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n"), Some(2));
    assert_eq!(inode("user:[4026531837]"), Some(FIRST_USER_NAMESPACE));
    assert_eq!(inode("user"), None);
}
