use super::*;
use crate::correlate::connections::Connections;

/// Numbers in no order, the same ones each time.
fn scattered() -> impl Iterator<Item = u64> {
    let mut state = 7_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

fn plan(at: u64, lane: usize) -> Plan {
    Plan { at: KernelTime(at), lane }
}

fn slots() -> [Slot; 2] {
    let mut connections = Connections::default();
    [1, 2].map(|port| {
        let event = crate::sample::from_port(port, crate::sample::fin(1000, crate::sample::idle(Duration::ZERO)));
        let new = Connection::new(event, &mut crate::resets::ResetTotals::default());
        let (hashed, plan) = (connections.hash(&new.ends()), Plan::of(&new, Duration::ZERO));
        connections.insert(std::sync::Arc::new(new), hashed, plan)
    })
}

#[test]
fn the_soonest_is_first_in_whatever_order_plans_come() {
    let [slot, _] = slots();
    let (mut agenda, mut all) = (Agenda::default(), Vec::new());
    for (at, lane) in scattered().take(2000).zip((0..LANES).cycle()) {
        agenda.add(plan(at, lane), slot);
        all.push(KernelTime(at));
        assert_eq!(agenda.first().map(|(at, _)| at), all.iter().min().copied());
    }
    assert!(!agenda.strays.is_empty(), "so many belong far before the end of a lane");
    all.sort_unstable();
    for now in all.clone().into_iter().step_by(7) {
        let mut taken = Vec::new();
        agenda.take(now, |(at, _)| taken.push(at));
        taken.sort_unstable();
        assert_eq!(taken, all[..taken.len()]);
        all.drain(..taken.len());
        assert!(taken.iter().all(|at| *at <= now) && all.iter().all(|at| *at > now));
        assert_eq!(agenda.first().map(|(at, _)| at), all.first().copied());
    }
}

#[test]
fn plans_of_one_instant_stand_in_the_order_of_their_places() {
    let [one, other] = slots();
    let mut agenda = Agenda::default();
    [(other, 0), (one, 0), (other, 1), (one, 1)].into_iter().for_each(|(slot, lane)| agenda.add(plan(5, lane), slot));
    assert_eq!(agenda.first(), Some((KernelTime(5), one)));
    agenda.clear(2, |(_, slot)| *slot == other);
    assert_eq!(agenda.first(), Some((KernelTime(5), other)));
}

#[test]
fn plans_that_do_not_stand_are_passed_over_and_cleared_out_before_they_are_many() {
    let [one, other] = slots();
    let mut agenda = Agenda::default();
    for at in scattered().take(10 * STALE_AT_LEAST) {
        agenda.add(plan(at, 0), one);
        agenda.clear(1, |(_, slot)| *slot == other);
        assert_eq!(agenda.first(), None);
    }
    agenda.add(plan(1, 0), other);
    for at in scattered().map(|at| at + 2).take(10 * STALE_AT_LEAST) {
        agenda.add(plan(at, 0), one);
        agenda.clear(1, |(_, slot)| *slot == other);
        assert_eq!(agenda.first(), Some((KernelTime(1), other)));
    }
    let kept = agenda.lanes.iter().map(VecDeque::len).sum::<usize>() + agenda.strays.len();
    assert!(kept <= STALE_AT_LEAST + STALE_FOR_EACH, "{kept}");
}
