// SPDX-License-Identifier: Apache-2.0
// ringer ask|serve ADDRESS PORT WAY COUNT SIZE: a TCP connection of which everything goes by io_uring. `ask`
// connects, sends COUNT messages of SIZE bytes and receives as many of twice the size; `serve` accepts one
// connection and is the other side. Prints what it sent and received: bytes and requests of each.
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <string_view>
#include <vector>

namespace {

/// The result of a call or request, or the end.
int need(int result, const char* what) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-result));
        exit(1);
    }
    return result;
}

class Ring {
  public:
    Ring(unsigned ring_flags, unsigned request_flags) : request_flags_(request_flags) {
        io_uring_params parameters{};
        parameters.flags = ring_flags | IORING_SETUP_CQSIZE;
        parameters.cq_entries = kCompletions;
        need(io_uring_queue_init_params(64, &ring_, &parameters), "io_uring");
    }

    io_uring_sqe* next() { return io_uring_get_sqe(&ring_); }
    void submit() { need(io_uring_submit(&ring_), "submit"); }

    /// The next completion that is not only about a buffer being free again.
    io_uring_cqe reap() {
        for (;;) {
            io_uring_cqe* entry = nullptr;
            need(io_uring_wait_cqe(&ring_, &entry), "wait");
            const io_uring_cqe copy = *entry;
            io_uring_cqe_seen(&ring_, entry);
            if ((copy.flags & IORING_CQE_F_NOTIF) == 0) {
                return copy;
            }
        }
    }

    /// One request, an io_uring_prep_… of liburing; its result.
    template <typename Prepare, typename... Arguments>
    int run(Prepare prepare, Arguments... arguments) {
        io_uring_sqe* entry = next();
        prepare(entry, arguments...);
        entry->flags |= static_cast<__u8>(request_flags_);
        submit();
        return reap().res;
    }

  private:
    static constexpr unsigned kCompletions = 8192;  // more than there ever are at once, of free buffers too

    unsigned request_flags_;
    io_uring ring_{};
};

struct Sums {
    long bytes = 0, requests = 0;
    void add(int moved) {
        if (moved == 0) {
            fputs("the other side has closed\n", stderr);
            exit(1);
        }
        bytes += moved;
        requests += 1;
    }
};

struct Connection {
    Ring& ring;
    int fd;
    std::vector<char> buffer;
};

using Request = int (*)(Connection&, size_t);

int send_plain(Connection& c, size_t size) {
    return c.ring.run(io_uring_prep_send, c.fd, c.buffer.data(), size, MSG_NOSIGNAL);
}
int receive_plain(Connection& c, size_t size) {
    return c.ring.run(io_uring_prep_recv, c.fd, c.buffer.data(), size, 0);
}

/// The buffer in two parts.
template <typename Prepare>
int run_vector(Connection& c, size_t size, Prepare prepare) {
    iovec parts[] = {{c.buffer.data(), size / 2}, {c.buffer.data() + size / 2, size - size / 2}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    return c.ring.run(prepare, c.fd, &message, 0U);
}
int send_vector(Connection& c, size_t size) {
    return run_vector(c, size, io_uring_prep_sendmsg);
}
int receive_vector(Connection& c, size_t size) {
    return run_vector(c, size, io_uring_prep_recvmsg);
}

int write_file(Connection& c, size_t size) {
    return c.ring.run(io_uring_prep_write, c.fd, c.buffer.data(), static_cast<unsigned>(size), 0);
}
int read_file(Connection& c, size_t size) {
    return c.ring.run(io_uring_prep_read, c.fd, c.buffer.data(), static_cast<unsigned>(size), 0);
}

int send_without_copy(Connection& c, size_t size) {
    return c.ring.run(io_uring_prep_send_zc, c.fd, c.buffer.data(), size, MSG_NOSIGNAL, 0U);
}

struct Way {
    std::string_view name;
    unsigned ring_flags, request_flags;
    Request send, receive;  // no receive: one request that completes many times
};

constexpr Way kWays[] = {
    {"messages", 0, 0, send_plain, receive_plain},
    {"vectors", 0, 0, send_vector, receive_vector},
    {"files", 0, 0, write_file, read_file},
    {"workers", 0, IOSQE_ASYNC, send_plain, receive_plain},
    {"polled", IORING_SETUP_SQPOLL, 0, send_plain, receive_plain},
    {"uncopied", 0, 0, send_without_copy, receive_plain},
    {"multishot", 0, 0, send_plain, nullptr},
};

Sums send_all(Connection& c, const Way& way, long count, size_t size) {
    Sums sums;
    for (const long wanted = count * static_cast<long>(size); sums.bytes < wanted;) {
        const size_t rest = size - static_cast<size_t>(sums.bytes) % size;
        sums.add(need(way.send(c, rest), "send"));
    }
    return sums;
}

/// One request for all, which takes what comes in buffers of a group.
Sums receive_multishot(Connection& c, long wanted) {
    constexpr int kGroup = 1, kBuffers = 8192, kSize = 512;
    static char memory[kBuffers * kSize];
    need(c.ring.run(io_uring_prep_provide_buffers, memory, kSize, kBuffers, kGroup, 0), "buffers");
    Sums sums;
    for (bool armed = false; sums.bytes < wanted;) {
        if (!armed) {
            io_uring_sqe* entry = c.ring.next();
            io_uring_prep_recv_multishot(entry, c.fd, nullptr, 0, 0);
            entry->flags |= IOSQE_BUFFER_SELECT;
            entry->buf_group = kGroup;
            c.ring.submit();
        }
        const io_uring_cqe entry = c.ring.reap();
        armed = (entry.flags & IORING_CQE_F_MORE) != 0;
        sums.add(need(entry.res, "receive"));
    }
    return sums;
}

Sums receive_all(Connection& c, const Way& way, long count, size_t size) {
    const long wanted = count * static_cast<long>(size);
    if (way.receive == nullptr) {
        return receive_multishot(c, wanted);
    }
    Sums sums;
    while (sums.bytes < wanted) {
        sums.add(need(way.receive(c, size), "receive"));
    }
    return sums;
}

int connected(Ring& ring, bool serves, sockaddr_in& address) {
    auto* to = reinterpret_cast<sockaddr*>(&address);
    const int fd = need(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    if (!serves) {
        need(ring.run(io_uring_prep_connect, fd, to, static_cast<socklen_t>(sizeof(address))), "connect");
        return fd;
    }
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, to, sizeof(address)) != 0 || listen(fd, 1) != 0) {
        perror("listen");
        exit(1);
    }
    return need(ring.run(io_uring_prep_accept, fd, nullptr, nullptr, 0), "accept");
}

const Way* find_way(std::string_view name) {
    for (const Way& way : kWays) {
        if (way.name == name) {
            return &way;
        }
    }
    return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    const Way* way = argc == 7 ? find_way(argv[4]) : nullptr;
    const bool serves = argc > 1 && argv[1] == std::string_view("serve");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (way == nullptr || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
        fputs("usage: ringer ask|serve ADDRESS PORT WAY COUNT SIZE\n", stderr);
        return 2;
    }
    address.sin_port = htons(static_cast<uint16_t>(atoi(argv[3])));
    const long count = atol(argv[5]);
    const size_t size = strtoul(argv[6], nullptr, 10);
    Ring ring(way->ring_flags, way->request_flags);
    Connection connection{ring, connected(ring, serves, address), std::vector<char>(2 * size)};
    Sums sent, received;
    if (serves) {
        received = receive_all(connection, *way, count, size);
        sent = send_all(connection, *way, count, 2 * size);
    } else {
        sent = send_all(connection, *way, count, size);
        received = receive_all(connection, *way, count, 2 * size);
    }
    printf("%ld %ld %ld %ld\n", sent.bytes, sent.requests, received.bytes, received.requests);
    return 0;
}
