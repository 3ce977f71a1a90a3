use super::{Connections, Ends};
use crate::{correlate::Connection, resets::ResetTotals, sample};

fn connection(netns: Option<u32>) -> Connection {
    let mut event = sample::fin(1000, sample::idle(sample::RESPONSE_TIME));
    event.record_mut().netns = netns;
    Connection::new(event, &mut ResetTotals::default())
}

fn ends(netns: Option<u32>) -> Ends {
    Ends { netns, ..connection(None).ends() }
}

#[test]
fn connections_with_equal_addresses_are_told_apart_by_their_network_namespaces_and_stand_in_their_order() {
    let mut connections = Connections::default();
    for netns in [Some(7), None, Some(3)] {
        connections.insert(connection(netns));
    }
    let Ends { local, remote, .. } = ends(None);
    let order: Vec<_> = connections.between(local, remote).map(|known| known.ends().netns).collect();
    assert_eq!(order, [None, Some(3), Some(7)]);
    assert_eq!(connections.between(remote, local).count(), 0);
    let found = connections.find(&ends(Some(3))).unwrap();
    assert_eq!(connections.get(found).unwrap().ends(), ends(Some(3)));
    assert_eq!(connections.get_mut(found).unwrap().ends(), ends(Some(3)));
    assert!(connections.find(&ends(Some(4))).is_none());
}

#[test]
fn what_was_removed_is_not_known_and_the_others_are() {
    let mut connections = Connections::default();
    let one = connections.insert(connection(Some(3)));
    let other = connections.insert(connection(Some(7)));
    assert_eq!(connections.remove(one).unwrap().ends(), ends(Some(3)));
    assert!(connections.remove(one).is_none() && connections.find(&ends(Some(3))).is_none());
    assert_eq!((connections.find(&ends(Some(7))), connections.len()), (Some(other), 1));
    connections.remove(other);
    assert_eq!((connections.len(), connections.known.len()), (0, 0), "nothing is kept of them");
}
