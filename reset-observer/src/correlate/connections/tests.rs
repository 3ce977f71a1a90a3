use std::{sync::Arc, time::Duration};

use super::{Connections, Ends, Slot};
use crate::{
    correlate::{Connection, agenda::Plan},
    resets::ResetTotals,
    sample,
};

fn connection(netns: Option<u32>, is_reversed: bool) -> Connection {
    let mut event = sample::fin(1000, sample::idle(sample::RESPONSE_TIME));
    let record = event.record_mut();
    record.netns = netns;
    if is_reversed {
        std::mem::swap(&mut record.local, &mut record.remote);
    }
    Connection::new(event, &mut ResetTotals::default())
}

fn ends(netns: Option<u32>) -> Ends {
    connection(netns, false).ends()
}

fn add(connections: &mut Connections, new: Connection) -> Slot {
    let (hashed, plan) = (connections.hash(&new.ends()), Plan::of(&new, Duration::from_secs(1)));
    connections.insert(Arc::new(new), hashed, plan)
}

fn find(connections: &Connections, ends: &Ends) -> Option<Slot> {
    connections.find(ends, connections.hash(ends))
}

#[test]
fn connections_with_equal_addresses_are_told_apart_by_their_network_namespaces_and_stand_in_their_order() {
    let mut connections = Connections::default();
    let slots = [Some(7), None, Some(3)].map(|netns| add(&mut connections, connection(netns, false)));
    let other_end = add(&mut connections, connection(Some(5), true));
    let peer = |is_it: &dyn Fn(&Connection) -> bool| connections.peer(other_end, is_it).map(|peer| peer.ends());
    assert_eq!(peer(&|_| true), Some(ends(None)));
    assert_eq!(peer(&|peer| peer.ends().netns.is_some()), Some(ends(Some(3))));
    assert_eq!(peer(&|_| false), None);
    assert_eq!(connections.peer(slots[0], |_| true).unwrap().ends(), connection(Some(5), true).ends());
    let mut found = find(&connections, &ends(Some(3))).unwrap();
    assert_eq!(found, slots[2]);
    assert_eq!(connections.get(found).unwrap().ends(), ends(Some(3)));
    assert_eq!(connections.get_mut(found).unwrap().ends(), ends(Some(3)));
    assert!(find(&connections, &ends(Some(4))).is_none());
    found = find(&connections, &connection(Some(5), true).ends()).unwrap();
    assert_eq!(found, other_end);
}

#[test]
fn what_was_removed_is_not_known_and_the_others_are() {
    let mut connections = Connections::default();
    let one = add(&mut connections, connection(Some(3), false));
    let other = add(&mut connections, connection(Some(7), false));
    assert_eq!(connections.remove(one).unwrap().ends(), ends(Some(3)));
    assert!(connections.remove(one).is_none() && find(&connections, &ends(Some(3))).is_none());
    assert_eq!((find(&connections, &ends(Some(7))), connections.len()), (Some(other), 1));
    connections.remove(other);
    assert_eq!(connections.len(), 0, "nothing is kept of them");
    assert_eq!(connections.free.len(), connections.kept.len());
}

#[test]
fn of_the_plans_of_a_connection_only_the_last_stands() {
    let mut connections = Connections::default();
    let new = connection(None, false);
    let first = Plan::of(&new, Duration::from_secs(1)).at;
    let slot = add(&mut connections, new);
    assert!(connections.stands(&(first, slot)) && !connections.plan(slot, first), "planned for then anyway");
    let later = first.after(Duration::from_secs(1));
    assert!(connections.plan(slot, later));
    assert!(connections.stands(&(later, slot)) && !connections.stands(&(first, slot)));
    connections.remove(slot);
    assert!(!connections.stands(&(later, slot)) && !connections.plan(slot, first));
}
