use super::*;
use crate::vm::{matrix::Matrix, sighting::Outcome};

fn committed() -> Vec<Sighting> {
    load().unwrap()
}

#[test]
fn the_page_is_what_the_runs_saw() {
    let page = fs::read_to_string(path(PAGE)).unwrap();
    assert_eq!(page, render(&committed()), "{PAGE} is stale: `cargo xtask vm` writes it");
}

#[test]
fn every_pinned_kernel_was_seen_as_it_is_pinned() {
    let pinned: Vec<_> = Matrix::load().unwrap().kernels.iter().map(|kernel| Sighting::of(kernel).package).collect();
    let seen: Vec<_> = committed().into_iter().map(|sighting| sighting.package).collect();
    assert_eq!(seen, pinned, "type `cargo xtask vm`");
}

#[test]
fn every_kernel_passed_its_checks() {
    for sighting in committed() {
        let wrong = sighting.checks.iter().find(|check| check.outcome == Outcome::Wrong);
        assert!(wrong.is_none(), "Linux {}: {wrong:?}", sighting.version);
    }
}

#[test]
fn versions_are_numbers() {
    assert!(number("5.10") > number("5.4"));
}
