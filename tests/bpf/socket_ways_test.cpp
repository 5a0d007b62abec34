// SPDX-License-Identifier: Apache-2.0
// Unix sockets, and the less usual ways that bytes and sockets go: exact numbers.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "agent.h"
#include "child.h"
#include "traffic.h"

namespace plimsoll::bpf_test {
namespace {

sockaddr_un unix_name(const std::string& name) {  // in the abstract namespace: no file is left behind
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    return address;
}

void bind_unix(int fd, const std::string& name) {
    const sockaddr_un address = unix_name(name);
    check_step(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, 70);
}

void connect_unix(int fd, const std::string& name) {
    const sockaddr_un address = unix_name(name);
    check_step(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, 71);
}

TEST_CASE(
    "unix sockets: the listener's side is the server, with a client that has a name, too; a pair is "
    "neither") {
    const auto type = GENERATE(SOCK_STREAM, SOCK_SEQPACKET);
    const bool named = GENERATE(false, true);
    CAPTURE(type, named);
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2");
    Agent agent(tree);
    const std::string name = "plimsoll-test-" + std::to_string(getpid());
    Child serving(server, [&](const Parent& parent) {
        const int listener = open_socket(AF_UNIX, type);
        bind_unix(listener, name);
        check_step(listen(listener, 4) == 0, 1);
        parent.tell(1);
        answer(accept_one(listener));
        return 0;
    });
    REQUIRE(serving.hear() == 1);
    Child using_it(client, [&](const Parent&) {
        const int fd = open_socket(AF_UNIX, type);
        if (named) {
            bind_unix(fd, name + "-client");
        }
        connect_unix(fd, name);
        ask(fd);
        std::array<int, 2> pair{};
        check_step(socketpair(AF_UNIX, type, 0, pair.data()) == 0, 2);
        send_times(pair[0], 3, 5);
        receive_times(pair[1], 3, 5);
        return 0;
    });
    REQUIRE(using_it.wait() == 0);
    REQUIRE(serving.wait() == 0);
    const Reading reading = agent.read();
    CHECK(traffic(reading, client, "unix", "client", "write") == kAsked);
    CHECK(traffic(reading, client, "unix", "client", "read") == kAnswered);
    CHECK(traffic(reading, server, "unix", "server", "read") == kAsked);
    CHECK(traffic(reading, server, "unix", "server", "write") == kAnswered);
    CHECK(traffic(reading, client, "unix", "none", "write") == Traffic{15, 3});
    CHECK(traffic(reading, client, "unix", "none", "read") == Traffic{15, 3});
    CHECK(all_traffic(reading, client).operations == 58);
    CHECK(all_traffic(reading, server).operations == 52);
}

TEST_CASE("unix datagrams to a name come from a client and arrive at a server") {
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2");
    Agent agent(tree);
    const std::string name = "plimsoll-test-" + std::to_string(getpid());
    Child serving(server, [&](const Parent& parent) {
        const int fd = open_socket(AF_UNIX, SOCK_DGRAM);
        bind_unix(fd, name);
        parent.tell(1);
        receive_times(fd, 11, 37);
        return 0;
    });
    REQUIRE(serving.hear() == 1);
    Child using_it(client, [&](const Parent&) {
        const int fd = open_socket(AF_UNIX, SOCK_DGRAM);
        const sockaddr_un to = unix_name(name);
        const std::string data(37, 'x');
        for (int i = 0; i < 6; i++) {
            check_step(
                sendto(fd, data.data(), 37, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 37, 1);
        }
        connect_unix(fd, name);
        send_times(fd, 5, 37);
        return 0;
    });
    REQUIRE(using_it.wait() == 0);
    REQUIRE(serving.wait() == 0);
    const Reading reading = agent.read();
    CHECK(traffic(reading, client, "unix", "client", "write") == Traffic{407, 11});
    CHECK(traffic(reading, server, "unix", "server", "read") == Traffic{407, 11});
    CHECK(all_traffic(reading, client).operations == 11);
    CHECK(all_traffic(reading, server).operations == 11);
}

void send_descriptor(int over, int fd) {
    char byte = 'x';
    iovec vector{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    check_step(sendmsg(over, &message, 0) == 1, 72);
}

int receive_descriptor(int over) {
    char byte = 0;
    iovec vector{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    check_step(recvmsg(over, &message, 0) == 1, 73);
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

TEST_CASE("a socket from outside that is passed on or inherited counts for whoever uses it, with its role") {
    const CgroupTree tree;
    const Cgroup passed = tree.make("c1"), inherited = tree.make("c2"), outside = tree.make("other");
    Agent agent(tree);
    // made here, where nobody watches
    const UniqueFd listener(listen_on({AF_INET, false, 0}));
    const UniqueFd client(connect_to({AF_INET, false, port_of(listener.get())}));
    const UniqueFd server(accept_one(listener.get()));
    std::array<int, 2> pair{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
    const UniqueFd near(pair[0]), far(pair[1]);
    Child receiver(passed, [&](const Parent& parent) {
        const int fd = receive_descriptor(far.get());
        parent.wait();
        answer(fd);
        return 0;
    });
    send_descriptor(near.get(), server.get());
    Child heir(inherited, [&](const Parent&) {
        send_times(client.get(), 11, 7);
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            send_times(client.get(), 12, 7);
            _exit(0);
        }
        int status = -1;
        check_step(waitpid(grandchild, &status, 0) == grandchild && status == 0, 1);
        receive_times(client.get(), 29, 11);
        return 0;
    });
    receiver.go();
    REQUIRE(receiver.wait() == 0);
    REQUIRE(heir.wait() == 0);
    const Reading reading = agent.read();
    CHECK(traffic(reading, inherited, "tcp", "client", "write") == kAsked);
    CHECK(traffic(reading, inherited, "tcp", "client", "read") == kAnswered);
    CHECK(traffic(reading, passed, "tcp", "server", "read") == kAsked);
    CHECK(traffic(reading, passed, "tcp", "server", "write") == kAnswered);
    CHECK(traffic(reading, passed, "unix", "none", "read") == Traffic{1, 1});
    CHECK(all_traffic(reading, inherited).operations == 52);
    CHECK(all_traffic(reading, passed).operations == 53);
}

TEST_CASE(
    "sendfile and splice into a socket count the bytes; splice out of one where the kernel lets us look") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent&) {
        const int listener = listen_on({AF_INET, false, 0});
        const int client = connect_to({AF_INET, false, port_of(listener)});
        const int server = accept_one(listener);
        const int file = memfd_create("data", 0);
        check_step(ftruncate(file, 10'007) == 0, 1);
        off_t from = 0;
        check_step(sendfile(client, file, &from, 4'001) == 4'001, 2);
        std::array<int, 2> ends{};
        check_step(pipe(ends.data()) == 0, 3);
        check_step(write(ends[1], "0123456", 7) == 7, 4);
        check_step(splice(ends[0], nullptr, client, nullptr, 7, 0) == 7, 5);
        receive_times(server, 1, 4'008);
        send_times(client, 1, 23);
        check_step(splice(server, nullptr, ends[1], nullptr, 23, 0) == 23, 6);
        return 0;
    });
    REQUIRE(child.wait() == 0);
    const Reading reading = agent.read();
    const bool sees_splice = agent.types->allows_fexit("tcp_splice_read");
    CHECK(traffic(reading, cgroup, "tcp", "client", "write").bytes == 4'031);
    CHECK(traffic(reading, cgroup, "tcp", "server", "read") ==
          (sees_splice ? Traffic{4'031, 2} : Traffic{4'008, 1}));
}

}  // namespace
}  // namespace plimsoll::bpf_test
