/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes and messages through sockets, counted for whoever sends and receives: where a call on a socket
 * returns, in its caller's context. One handler, two ways in: the tracepoints of Linux 6.3, or before them
 * fexit of the functions that the protocols of the internet and unix sockets have for it.
 */
#include "socket.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 cpu_count = 1;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* slots x CPUs; set by the daemon */
    __type(key, __u32);
    __type(value, struct socket_account);
} socket_accounts SEC(".maps");

/*
 * An empty datagram is an operation; the end of a stream and a call that failed or would have to wait are
 * none. A tracepoint's program is alone on its CPU, and nothing else writes the cells of its direction there
 * (WRITER_OWN).
 */
static __always_inline int count(enum writer writer, struct sock* sk, __u32 direction, int result) {
    __u32 slot = slot_of_current();
    if (!slot || result < 0)
        return 0;
    if (result == 0 && sk->sk_type != SOCK_DGRAM)
        return 0;
    struct socket_record* record = find_record(sk);
    __u32 protocol = protocol_of(sk), role = role_of(sk, protocol, record);
    __u32 key = slot * cpu_count + bpf_get_smp_processor_id();
    struct socket_account* account = bpf_map_lookup_elem(&socket_accounts, &key);
    if (!account) {
        count_failure(FAILURE_account_missing);
        return 0;
    }
    if (protocol >= PROTOCOL_COUNT || role >= ROLE_COUNT)
        return 0;
    struct socket_cell* cell = &account->cells[protocol][role][direction];
    add(writer, &cell->bytes, result);
    add(writer, &cell->operations, 1);
    struct peer_account* peer = books_peers ? socket_peer(sk, record, protocol, role, slot) : 0;
    if (peer)
        __sync_fetch_and_add(&peer->sums.bytes[direction], result);
    return 0;
}

/* What is only looked at is read again; the error queue has what was sent. */
static __always_inline bool moves_data(int flags) {
    return !(flags & (MSG_PEEK | MSG_ERRQUEUE));
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock* sk, int result) {
    return count(WRITER_OWN, sk, DIRECTION_WRITE, result);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_receive, struct sock* sk, int result, int flags) {
    return moves_data(flags) ? count(WRITER_OWN, sk, DIRECTION_READ, result) : 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock* sk, int from, int to) {
    struct socket_record* record = 0;
    if (protocol_of(sk) == PROTOCOL_TCP)
        follow_socket(sk, from, to, &record);
    return 0;
}

/*
 * Programs at functions can be preempted, and several share the cells. A seqpacket socket's functions call
 * those of datagrams, unless the compiler has put these into them, where no program is: so each function
 * counts sockets of its own type only (0: of any).
 */
static __always_inline int count_at_function(struct socket* socket, __u16 type, __u32 direction, int result) {
    struct sock* sk = socket->sk;
    return type && sk->sk_type != type ? 0 : count(WRITER_SHARED, sk, direction, result);
}

#define COUNT_SEND(function, type)                                                                 \
    SEC("fexit/" #function)                                                                        \
    int BPF_PROG(after_##function, struct socket* socket, void* message, __u64 size, int result) { \
        return count_at_function(socket, type, DIRECTION_WRITE, result);                           \
    }
#define COUNT_RECEIVE(function, type)                                                           \
    SEC("fexit/" #function)                                                                     \
    int BPF_PROG(after_##function, struct socket* socket, void* message, __u64 size, int flags, \
                 int result) {                                                                  \
        return moves_data(flags) ? count_at_function(socket, type, DIRECTION_READ, result) : 0; \
    }
#define COUNT_SENDPAGE(function, type)                                                                   \
    SEC("fexit/" #function)                                                                              \
    int BPF_PROG(after_##function, struct socket* socket, void* page, int offset, __u64 size, int flags, \
                 int result) {                                                                           \
        return count_at_function(socket, type, DIRECTION_WRITE, result);                                 \
    }
#define COUNT_SPLICE(function)                                                                               \
    SEC("fexit/" #function)                                                                                  \
    int BPF_PROG(after_##function, struct socket* socket, void* position, void* pipe, __u64 size, int flags, \
                 int result) {                                                                               \
        return count_at_function(socket, SOCK_STREAM, DIRECTION_READ, result);                               \
    }

COUNT_SEND(inet_sendmsg, 0)
COUNT_SEND(inet6_sendmsg, 0)
COUNT_SEND(unix_stream_sendmsg, SOCK_STREAM)
COUNT_SEND(unix_dgram_sendmsg, SOCK_DGRAM)
COUNT_SEND(unix_seqpacket_sendmsg, SOCK_SEQPACKET)
COUNT_RECEIVE(inet_recvmsg, 0)
COUNT_RECEIVE(inet6_recvmsg, 0)
COUNT_RECEIVE(unix_stream_recvmsg, SOCK_STREAM)
COUNT_RECEIVE(unix_dgram_recvmsg, SOCK_DGRAM)
COUNT_RECEIVE(unix_seqpacket_recvmsg, SOCK_SEQPACKET)
COUNT_SENDPAGE(inet_sendpage, 0)
COUNT_SENDPAGE(unix_stream_sendpage, SOCK_STREAM)
COUNT_SPLICE(tcp_splice_read)
COUNT_SPLICE(unix_stream_splice_read)
