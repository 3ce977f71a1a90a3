use super::*;

fn sandbox(user: Outcome) -> Sandbox {
    let seccomp = Ok("90 system calls forbidden".to_owned());
    Sandbox { measures: vec![(Measure::User, user), (Measure::Seccomp, seccomp)] }
}

#[test]
fn what_holds_is_one_phrase_and_what_does_not_has_its_reason() {
    let whole = sandbox(Ok("runs as user 65532".into()));
    assert_eq!(whole.in_force(), "runs as user 65532; 90 system calls forbidden");
    assert_eq!(whole.shortfalls().count(), 0);
    let part = sandbox(Err("stays root: CAP_SETUID missing".into()));
    assert!(part.holds(Measure::Seccomp) && !part.holds(Measure::User) && !part.holds(Measure::NoNewPrivs));
    assert_eq!(part.shortfalls().collect::<Vec<_>>(), [(Measure::User, "stays root: CAP_SETUID missing")]);
}

#[test]
fn a_rehearsal_says_what_would_hold_and_changes_nothing() {
    let before = rustix::thread::no_new_privs().unwrap();
    let rehearsed = rehearse(&Needs::default());
    assert!(rehearsed.holds(Measure::NoNewPrivs), "{rehearsed:?}");
    assert!(rehearsed.holds(Measure::Capabilities), "{rehearsed:?}");
    assert_eq!(rustix::thread::no_new_privs().unwrap(), before);
}

#[test]
fn without_it_every_measure_has_the_reason() {
    let none = Sandbox::none("--no-sandbox");
    assert_eq!(none.in_force(), "");
    assert_eq!(none.shortfalls().count(), Measure::ALL.len());
}
