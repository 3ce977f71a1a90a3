use std::{
    net::{TcpListener, TcpStream},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
};

use super::*;

fn inode(socket: &impl AsRawFd) -> u64 {
    std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A message as the kernel lays it out: header, fixed part, attributes.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

/// `struct inet_diag_msg` of an established IPv4 connection, and an attribute of a kind that nobody knows.
fn connection(inode: u32) -> Vec<u8> {
    let mut body = vec![AF_INET, 1, 0, 0];
    body.extend(50452_u16.to_be_bytes());
    body.extend(3000_u16.to_be_bytes());
    for end in [[10, 0, 0, 1], [10, 0, 0, 2]] {
        body.extend(end);
        body.extend([0; 12]);
    }
    body.extend([0; 4 + 8 + 4 * 4]);
    body.extend(inode.to_ne_bytes());
    body.extend([5, 0, 99, 0, 7, 0, 0, 0]);
    message(SOCK_DIAG_BY_FAMILY, 2, &body)
}

fn done(code: i32) -> Vec<u8> {
    message(3, 2, &code.to_ne_bytes())
}

fn held(inode: u64) -> HashSet<u64> {
    HashSet::from([inode])
}

#[test]
fn the_kernel_lists_a_listener_and_a_connection_of_each_family() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(at) else { continue };
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let found = tcp_sockets(&HashSet::from([inode(&listener), inode(&client)])).unwrap();
        let listens = found.iter().find(|socket| socket.inode == inode(&listener)).unwrap();
        assert_eq!((listens.state, listens.local), (TcpState::Listen, listener.local_addr().unwrap()));
        let connected = HeldSocket {
            inode: inode(&client),
            state: TcpState::Established,
            local: client.local_addr().unwrap(),
            remote: client.peer_addr().unwrap(),
        };
        assert!(found.contains(&connected), "{found:?}");
        assert_eq!(found.len(), 2, "nobody asked for {}", inode(&server));
    }
}

#[test]
fn an_ipv4_connection_of_an_ipv6_socket_is_found() {
    let Ok(listener) = TcpListener::bind("[::]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    let Ok(_client) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let (server, _) = listener.accept().unwrap();
    let found = tcp_sockets(&held(inode(&server))).unwrap();
    assert_eq!(found[0].local, address(&format!("[::ffff:127.0.0.1]:{port}")));
}

#[test]
fn a_list_of_more_sockets_than_fit_in_one_piece_is_read_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let pairs: Vec<_> = (0..400).map(|_| (TcpStream::connect(to).unwrap(), listener.accept().unwrap())).collect();
    let inodes: HashSet<u64> = pairs.iter().flat_map(|(one, (other, _))| [inode(one), inode(other)]).collect();
    assert_eq!(tcp_sockets(&inodes).unwrap().len(), 800);
}

#[test]
fn a_connection_is_read_from_the_bytes_and_unknown_attributes_do_no_harm() {
    let inodes = held(7);
    let mut list = List::new(&inodes);
    list.take(&[connection(8), connection(7), done(0)].concat()).unwrap();
    assert!(list.is_complete && !list.is_interrupted);
    let (local, remote) = (address("10.0.0.1:50452"), address("10.0.0.2:3000"));
    assert_eq!(list.sockets, [HeldSocket { inode: 7, state: TcpState::Established, local, remote }]);
}

#[test]
fn a_list_goes_on_in_the_next_piece_until_the_kernel_ends_it() {
    let inodes = HashSet::from([7, 9]);
    let mut list = List::new(&inodes);
    list.take(&connection(7)).unwrap();
    assert!(!list.is_complete);
    list.take(&[connection(9), done(0)].concat()).unwrap();
    assert!(list.is_complete);
    assert_eq!(list.sockets.len(), 2);
}

#[test]
fn an_interrupted_list_is_known_by_its_flag_or_by_its_end() {
    let inodes = held(7);
    for end in [message(3, 2 | NLM_F_DUMP_INTR, &[0; 4]), done(-4), message(2, 0, &(-4_i32).to_ne_bytes())] {
        let mut list = List::new(&inodes);
        list.take(&end).unwrap();
        assert!(list.is_complete && list.is_interrupted, "{end:?}");
    }
}

#[test]
fn a_refusal_says_why() {
    let inodes = held(7);
    // ENOENT: the kernel has no module for it.
    let error = List::new(&inodes).take(&message(2, 0, &(-2_i32).to_ne_bytes())).unwrap_err();
    assert!(format!("{error:#}").contains("No such file"), "{error:#}");
    assert!(List::new(&inodes).take(&message(4, 0, &[])).unwrap_err().to_string().contains("lost"));
}

#[test]
fn bytes_that_are_cut_short_or_damaged_are_refused_or_read_and_never_a_panic() {
    let inodes = held(7);
    let whole = [connection(7), message(2, 0, &[0; 20]), message(1, 0, &[]), done(0)].concat();
    for len in 1..connection(7).len() {
        assert!(List::new(&inodes).take(&whole[..len]).is_err(), "{len} bytes");
    }
    for at in 0..whole.len() {
        for value in 0..=u8::MAX {
            let mut damaged = whole.clone();
            damaged[at] = value;
            _ = List::new(&inodes).take(&damaged);
            _ = List::new(&inodes).take(&damaged[..at]);
        }
    }
}
