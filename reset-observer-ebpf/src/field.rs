//! The kernel fields that the programs read. User space resolves each one from the running kernel's BTF and hands the
//! byte offsets over as a read-only global: offsets move between kernels, so none is written down anywhere.

/// The offset that stands for "this kernel has no such field".
pub const ABSENT: u32 = u32::MAX;

/// Where a field is found and how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldPath {
    /// The structure that the offset counts from, by its BTF name.
    pub structure: &'static str,
    /// Members from there, separated by dots; `[0]` steps into an array. Unnamed members are looked through.
    pub path: &'static str,
    /// The size in bytes that the programs read. A field of another size is as bad as a missing one.
    pub size: u32,
    /// Without a required field no program is loaded; an optional one switches off what depends on it.
    pub required: bool,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $structure:literal . $path:literal : $size:literal $need:ident;)+) => {
        /// A field of a kernel structure, as an index into the offset table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Field { $($(#[$doc])* $name,)+ }

        /// Every field, in the order of the offset table.
        pub const FIELDS: &[(Field, FieldPath)] = &[$((
            Field::$name,
            FieldPath { structure: $structure, path: $path, size: $size, required: fields!(@$need) },
        ),)+];
    };
    (@required) => { true };
    (@optional) => { false };
}

fields! {
    /// Address family, host order.
    Family = "sock"."__sk_common.skc_family": 2 required;
    /// TCP state.
    State = "sock"."__sk_common.skc_state": 1 required;
    /// Local port, host order; zero again after the change to CLOSE.
    LocalPort = "sock"."__sk_common.skc_num": 2 required;
    /// Local port, network order: outlives the change to CLOSE, which clears the other one.
    SourcePort = "inet_sock"."inet_sport": 2 required;
    /// Remote port, network order.
    RemotePort = "sock"."__sk_common.skc_dport": 2 required;
    /// Local IPv4 address.
    LocalV4 = "sock"."__sk_common.skc_rcv_saddr": 4 required;
    /// Remote IPv4 address.
    RemoteV4 = "sock"."__sk_common.skc_daddr": 4 required;
    /// Local IPv6 address. Absent on a kernel without IPv6.
    LocalV6 = "sock"."__sk_common.skc_v6_rcv_saddr": 16 optional;
    /// Remote IPv6 address. Absent on a kernel without IPv6.
    RemoteV6 = "sock"."__sk_common.skc_v6_daddr": 16 optional;
    /// Pointer to the network namespace.
    Net = "sock"."__sk_common.skc_net.net": 8 required;
    /// Inode of a network namespace, from `struct net`.
    NetInode = "net"."ns.inum": 4 required;
    /// Socket cookie; zero until someone asked for it.
    Cookie = "sock"."__sk_common.skc_cookie": 8 optional;
    /// IP protocol of the socket.
    Protocol = "sock"."sk_protocol": 2 required;
    /// Pending error.
    Error = "sock"."sk_err": 4 required;
    /// Pointer to the cgroup (v2) of the socket's creator.
    Cgroup = "sock"."sk_cgrp_data.cgroup": 8 optional;
    /// Pointer to the kernfs node of a cgroup.
    CgroupNode = "cgroup"."kn": 8 optional;
    /// Id of a kernfs node, which is the inode number of the cgroup's directory.
    NodeId = "kernfs_node"."id": 8 optional;
    /// Jiffies of the last segment sent with payload.
    LastSend = "tcp_sock"."lsndtime": 4 required;
    /// Jiffies of the last segment received with payload.
    LastReceive = "inet_connection_sock"."icsk_ack.lrcvtime": 4 required;
    /// Microseconds: when the current flight was first sent.
    FirstTransmit = "tcp_sock"."first_tx_mstamp": 8 required;
    /// Microseconds: equal to the first transmission while nothing of the flight was acknowledged.
    Delivered = "tcp_sock"."delivered_mstamp": 8 required;
    /// Microseconds: the socket's clock, refreshed by the segment being handled.
    Clock = "tcp_sock"."tcp_mstamp": 8 required;
    /// First unacknowledged sequence number.
    SndUna = "tcp_sock"."snd_una": 4 required;
    /// Next sequence number to send.
    SndNxt = "tcp_sock"."snd_nxt": 4 required;
    /// End of what the application wrote.
    WriteSeq = "tcp_sock"."write_seq": 4 required;
    /// Next sequence number expected.
    RcvNxt = "tcp_sock"."rcv_nxt": 4 required;
    /// End of what the application read.
    CopiedSeq = "tcp_sock"."copied_seq": 4 required;
    /// Payload bytes sent, retransmissions included.
    BytesSent = "tcp_sock"."bytes_sent": 8 required;
    /// Bytes acknowledged by the peer, SYN and FIN counted.
    BytesAcked = "tcp_sock"."bytes_acked": 8 required;
    /// Bytes received, FIN counted.
    BytesReceived = "tcp_sock"."bytes_received": 8 required;
    /// Smoothed round trip time in eighths of a microsecond.
    Srtt = "tcp_sock"."srtt_us": 4 required;
    /// Windowed minimum of the round trip time in microseconds.
    RttMin = "tcp_sock"."rtt_min.s[0].v": 4 required;
    /// Retransmissions of the connection so far.
    TotalRetransmits = "tcp_sock"."total_retrans": 4 required;
    /// Segments in flight.
    PacketsOut = "tcp_sock"."packets_out": 4 required;
    /// Retransmissions of the current flight by timer.
    Retransmits = "inet_connection_sock"."icsk_retransmits": 1 required;
    /// Start of a packet's buffer.
    SkbHead = "sk_buff"."head": 8 required;
    /// Offset of the network header from the start of the buffer.
    SkbNetworkHeader = "sk_buff"."network_header": 2 required;
    /// Offset of the transport header from the start of the buffer.
    SkbTransportHeader = "sk_buff"."transport_header": 2 required;
    /// Pointer to the device that a packet came in on.
    SkbDevice = "sk_buff"."dev": 8 optional;
    /// Pointer to the network namespace of a device.
    DeviceNet = "net_device"."nd_net.net": 8 optional;
    /// Flags of a task; `PF_EXITING` is one.
    TaskFlags = "task_struct"."flags": 4 optional;
    /// Exit code of a task in the form of wait(2), valid once it is exiting.
    TaskExitCode = "task_struct"."exit_code": 4 optional;
    /// Thread group of a task.
    TaskTgid = "task_struct"."tgid": 4 optional;
    /// Command name of a task.
    TaskComm = "task_struct"."comm": 16 optional;
    /// Pointer to what the threads of a process share.
    TaskSignal = "task_struct"."signal": 8 optional;
    /// Number of threads of a process that live.
    SignalLive = "signal_struct"."live.counter": 4 optional;
}

/// Number of entries in the offset table.
pub const FIELD_COUNT: usize = FIELDS.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_its_own_index() {
        for (index, (field, _)) in FIELDS.iter().enumerate() {
            assert_eq!(*field as usize, index);
        }
    }
}
