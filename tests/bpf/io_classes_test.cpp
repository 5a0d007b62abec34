// SPDX-License-Identifier: Apache-2.0
// Which kind of file a call counts for: every family of calls on every kind, and calls with two ends.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

#include <catch2/catch.hpp>

#include <array>
#include <cstdlib>
#include <stdexcept>

#include "io_work.h"

namespace plimsoll::bpf_test {
namespace {

std::array<char, 4096> buffer;

/// A message of as many bytes, in a header for sendmsg() and recvmsg().
struct Message {
    explicit Message(std::size_t size) : part{buffer.data(), size} {
        header.msg_iov = &part;
        header.msg_iovlen = 1;
    }
    iovec part;
    msghdr header{};
};

/// Each call of the families once, from one socket to the other: 6 calls and 3 + 5 + 7 + 11 + 13 + 17 bytes
/// each way.
void use_all_calls(int from, int to) {
    expect(write(from, buffer.data(), 3), 3);
    expect(read(to, buffer.data(), 3), 3);
    expect(send(from, buffer.data(), 5, 0), 5);
    expect(recv(to, buffer.data(), 5, 0), 5);
    Message seven(7);
    expect(sendmsg(from, &seven.header, 0), 7);
    expect(recvmsg(to, &seven.header, 0), 7);
    const Message eleven(11);
    expect(writev(from, &eleven.part, 1), 11);
    expect(readv(to, &eleven.part, 1), 11);
    expect(sendto(from, buffer.data(), 13, 0, nullptr, 0), 13);
    expect(recvfrom(to, buffer.data(), 13, 0, nullptr, nullptr), 13);
    std::array<Message, 2> parts{Message(8), Message(9)};
    std::array<mmsghdr, 2> messages{};
    for (std::size_t i = 0; i < 2; i++) {
        parts[i].header.msg_iov = &parts[i].part;
        messages[i].msg_hdr = parts[i].header;
    }
    expect(sendmmsg(from, messages.data(), 2, 0), 2);
    expect(recvmmsg(to, messages.data(), 2, 0, nullptr), 2);
    expect(messages[0].msg_len + messages[1].msg_len, 17);
}
constexpr IoCount kAllCalls{3 + 5 + 7 + 11 + 13 + 17, 6};

Pair make_udp_pair() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Pair pair{UniqueFd(socket(AF_INET, SOCK_DGRAM, 0)), UniqueFd(socket(AF_INET, SOCK_DGRAM, 0))};
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    if (bind(pair.second.get(), generic, size) != 0 || getsockname(pair.second.get(), generic, &size) != 0 ||
        connect(pair.first.get(), generic, size) != 0) {
        throw std::runtime_error("no UDP");
    }
    return pair;
}

TEST_CASE("io: all calls on sockets: inet and unix, streams and datagrams") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const Pair tcp = make_tcp_pair(), udp = make_udp_pair(), stream = make_unix_pair(SOCK_STREAM),
               datagram = make_unix_pair(SOCK_DGRAM);
    const IoCounts inet{{"inet read", kAllCalls}, {"inet write", kAllCalls}};
    const IoCounts local{{"unix read", kAllCalls}, {"unix write", kAllCalls}};
    CHECK(counted(agent, cgroup, [&] { use_all_calls(tcp.first.get(), tcp.second.get()); }) == inet);
    CHECK(counted(agent, cgroup, [&] { use_all_calls(udp.first.get(), udp.second.get()); }) == inet);
    CHECK(counted(agent, cgroup, [&] { use_all_calls(stream.first.get(), stream.second.get()); }) == local);
    CHECK(counted(agent, cgroup, [&] { use_all_calls(datagram.first.get(), datagram.second.get()); }) ==
          local);
}

TEST_CASE("io: 1,024 messages in one call") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    CHECK(counted(agent, cgroup,
                  [] {
                      const UniqueFd socket(need(::socket(AF_INET, SOCK_DGRAM, 0)));
                      sockaddr_in discard{};
                      discard.sin_family = AF_INET;
                      discard.sin_port = htons(9);
                      discard.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                      std::vector<mmsghdr> messages(1024);
                      Message one(3);
                      one.header.msg_name = &discard;
                      one.header.msg_namelen = sizeof(discard);
                      for (auto& message : messages) {
                          message.msg_hdr = one.header;
                      }
                      std::int64_t sent = 0;
                      while (sent < 1024) {
                          sent += need(sendmmsg(socket.get(), messages.data() + sent,
                                                static_cast<unsigned>(1024 - sent), 0));
                      }
                  })
              .at("inet write")
              .bytes == 3 * 1024);
}

TEST_CASE("io: netlink, terminals, event counters and devices") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    CHECK(counted(agent, cgroup, [] {
              const UniqueFd socket(need(::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)));
              nlmsghdr request{};
              request.nlmsg_len = sizeof(request);
              request.nlmsg_type = NLMSG_NOOP;
              request.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
              expect(send(socket.get(), &request, sizeof(request), 0), sizeof(request));
              expect(recv(socket.get(), buffer.data(), buffer.size(), 0), 36);
          }) == IoCounts{{"netlink read", {36, 1}}, {"netlink write", {16, 1}}});
    CHECK(counted(agent, cgroup, [] {
              const UniqueFd master(need(posix_openpt(O_RDWR | O_NOCTTY)));
              need(grantpt(master.get()));
              need(unlockpt(master.get()));
              const UniqueFd slave(need(open(ptsname(master.get()), O_RDWR | O_NOCTTY)));
              termios raw{};
              cfmakeraw(&raw);
              raw.c_cc[VMIN] = 1;
              need(tcsetattr(slave.get(), TCSANOW, &raw));
              expect(write(slave.get(), buffer.data(), 19), 19);
              expect(read(master.get(), buffer.data(), 19), 19);
              expect(write(master.get(), buffer.data(), 3), 3);
              expect(read(slave.get(), buffer.data(), 3), 3);
          }) == IoCounts{{"tty read", {22, 2}}, {"tty write", {22, 2}}});
    CHECK(counted(agent, cgroup, [] {
              const UniqueFd events(need(eventfd(0, 0))), zero(need(open("/dev/zero", O_RDONLY)));
              const std::uint64_t one = 1;
              expect(write(events.get(), &one, 8), 8);
              expect(read(events.get(), buffer.data(), 8), 8);
              expect(read(zero.get(), buffer.data(), 23), 23);
          }) == IoCounts{{"other read", {31, 2}}, {"other write", {8, 1}}});
}

/// A block device that is a file of one MiB.
class LoopDevice {
  public:
    LoopDevice() : file_(make_file(1 << 20)), control_(open("/dev/loop-control", O_RDWR | O_CLOEXEC)) {
        const int number = control_ ? ioctl(control_.get(), LOOP_CTL_GET_FREE) : -1;
        if (number >= 0) {
            device_ = UniqueFd(open(("/dev/loop" + std::to_string(number)).c_str(), O_RDWR | O_CLOEXEC));
        }
        if (device_ && ioctl(device_.get(), LOOP_SET_FD, file_.get()) != 0) {
            device_.reset();
        }
    }
    LoopDevice(const LoopDevice&) = delete;
    LoopDevice& operator=(const LoopDevice&) = delete;
    ~LoopDevice() {
        if (device_) {
            ioctl(device_.get(), LOOP_CLR_FD, 0);
        }
    }
    [[nodiscard]] int fd() const { return device_ ? device_.get() : -1; }

  private:
    UniqueFd file_, control_, device_;
};

TEST_CASE("io: a block device") {
    const LoopDevice device;
    if (device.fd() < 0) {
        WARN("SKIPPED: bpf: no loop devices");
        return;
    }
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    CHECK(counted(agent, cgroup, [&] {
              expect(pwrite(device.fd(), buffer.data(), 4096, 0), 4096);
              expect(fsync(device.fd()), 0);
              expect(pread(device.fd(), buffer.data(), 4096, 8192), 4096);
              expect(pread(device.fd(), buffer.data(), 100, 4096), 100);
          }) == IoCounts{{"block read", {4196, 2}}, {"block write", {4096, 1}}});
}

TEST_CASE("io: calls with two ends count at both, each in its direction") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(4096), copy = make_file(0), zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    const Pair pipe = make_pipe_ends(), second = make_pipe_ends(), tcp = make_tcp_pair();
    CHECK(counted(agent, cgroup, [&] {
              off_t offset = 0;
              expect(sendfile(tcp.first.get(), file.get(), &offset, 1009), 1009);
          }) == IoCounts{{"file read", {1009, 1}}, {"inet write", {1009, 1}}});
    CHECK(counted(agent, cgroup, [&] {
              off_t offset = 0;
              expect(splice(file.get(), &offset, pipe.second.get(), nullptr, 103, 0), 103);
          }) == IoCounts{{"file read", {103, 1}}, {"pipe write", {103, 1}}});
    CHECK(counted(agent, cgroup, [&] { expect(tee(pipe.first.get(), second.second.get(), 103, 0), 103); }) ==
          IoCounts{{"pipe read", {103, 1}}, {"pipe write", {103, 1}}});
    CHECK(counted(agent, cgroup, [&] {
              expect(splice(pipe.first.get(), nullptr, tcp.first.get(), nullptr, 103, 0), 103);
          }) == IoCounts{{"pipe read", {103, 1}}, {"inet write", {103, 1}}});
    iovec part{buffer.data(), 59};
    CHECK(counted(agent, cgroup, [&] { expect(vmsplice(pipe.second.get(), &part, 1, 0), 59); }) ==
          IoCounts{{"pipe write", {59, 1}}});
    CHECK(counted(agent, cgroup, [&] { expect(vmsplice(pipe.first.get(), &part, 1, 0), 59); }) ==
          IoCounts{{"pipe read", {59, 1}}});
    CHECK(counted(agent, cgroup, [&] {
              off_t offset = 0;
              expect(copy_file_range(file.get(), &offset, copy.get(), nullptr, 997, 0), 997);
          }) == IoCounts{{"file read", {997, 1}}, {"file write", {997, 1}}});
    CHECK(counted(agent, cgroup, [&] {
              expect_error(sendfile(zero.get(), file.get(), nullptr, 1), EBADF);
          }) == IoCounts{{"file read", {0, 0, 1}}, {"other write", {0, 0, 1}}});
}

TEST_CASE(
    "io: descriptors that are older than the agent, that were passed on, or inherited through fork and "
    "exec") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1"), sender = tree.make("c2");
    const UniqueFd file = make_file(4096);
    const Pair channel = make_unix_pair(SOCK_STREAM), stream = make_unix_pair(SOCK_STREAM);
    Worker older(cgroup, [&] { expect(pread(file.get(), buffer.data(), 43, 0), 43); });
    REQUIRE(older.child().sleeps());
    Agent agent(tree, each_way());
    // By fentry, the call that it waits in since before the agent is not seen.
    CHECK(older.run(agent).at("file read") == IoCount{43, 1});
    CHECK(older.run(agent) == IoCounts{{"file read", {43, 1}}});

    std::array<char, CMSG_SPACE(sizeof(int))> control{};
    Message message(1);
    message.header.msg_control = control.data();
    message.header.msg_controllen = control.size();
    cmsghdr* passed = CMSG_FIRSTHDR(&message.header);
    CHECK(counted(agent, sender, [&] {
              passed->cmsg_level = SOL_SOCKET;
              passed->cmsg_type = SCM_RIGHTS;
              passed->cmsg_len = CMSG_LEN(sizeof(int));
              const UniqueFd block(need(memfd_create("passed", 0)));
              expect(write(block.get(), buffer.data(), 71), 71);
              *reinterpret_cast<int*>(CMSG_DATA(passed)) = block.get();
              expect(sendmsg(channel.first.get(), &message.header, 0), 1);
          }) == IoCounts{{"file write", {71, 1}}, {"unix write", {1, 1}}});
    CHECK(counted(agent, cgroup, [&] {
              expect(recvmsg(channel.second.get(), &message.header, 0), 1);
              const int received = *reinterpret_cast<int*>(CMSG_DATA(passed));
              expect(pread(received, buffer.data(), 71, 0), 71);
              close(received);
          }) == IoCounts{{"file read", {71, 1}}, {"unix read", {1, 1}}});

    const IoCounts inherited = counted(agent, cgroup, [&] {
        const pid_t child = fork();
        if (child == 0) {
            need(dup2(stream.first.get(), 0));
            need(dup2(stream.first.get(), 1));
            execl("/bin/dd", "dd", "bs=7", "count=13", "status=none", nullptr);
            _exit(1);
        }
        expect(write(stream.second.get(), buffer.data(), 7 * 13), 7 * 13);
        int status = -1;
        expect(waitpid(child, &status, 0), child);
        expect(status, 0);
    });
    CHECK(inherited.at("unix read") == IoCount{7 * 13, 13});
    CHECK(inherited.at("unix write") == IoCount{2 * 7 * 13, 14});
}

}  // namespace
}  // namespace plimsoll::bpf_test
