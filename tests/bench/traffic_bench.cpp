// SPDX-License-Identifier: Apache-2.0
// What the probe `traffic` adds to a packet: a datagram to and fro between two sockets in network namespaces
// of the bench's own, one of which is the host's as far as the programs know; with different programs at the
// root cgroup, in turn. Prints `name value` lines. Root only, containers by the v2 hierarchy.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include "bed.h"
#include "containers/cgroup_tree.h"
#include "contender.h"
#include "kernel/features.h"
#include "kernel/hash_map.h"
#include "kernel/keyed_map.h"
#include "kernel/scope.h"
#include "loop/unique_fd.h"
#include "shared/traffic.h"
#include "traffic.skel.h"
#include "traffic_floor.skel.h"

namespace {

using namespace plimsoll;
using namespace bench;

constexpr int kTripsPerRound = 500;
constexpr int kRunsPerTrip = 4;  // each of two packets passes a sender and a receiver

void check(bool done, const char* what) {
    if (!done) {
        std::perror(what);
        std::exit(1);
    }
}

void shell(const std::string& command) {
    check(std::system(command.c_str()) == 0, command.c_str());  // NOLINT(concurrency-mt-unsafe)
}

/// A network namespace that ends with the bench.
class Namespace {
  public:
    Namespace() {
        check(unshare(CLONE_NEWNET) == 0, "unshare");
        fd_ = UniqueFd(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    }
    void enter() const { check(setns(fd_.get(), CLONE_NEWNET) == 0, "setns"); }
    [[nodiscard]] std::string path() const {
        return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
    }
    [[nodiscard]] std::uint32_t number() const {
        struct stat status{};
        check(fstat(fd_.get(), &status) == 0, "fstat");
        return static_cast<std::uint32_t>(status.st_ino);
    }

  private:
    UniqueFd fd_;
};

sockaddr_in address_of(const char* host, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

/// One made by a process of that cgroup in that namespace.
UniqueFd socket_of(const std::string& cgroup, const Namespace& network, const char* own, const char* peer,
                   int port) {
    std::ofstream(cgroup + "/cgroup.procs") << getpid();
    network.enter();
    UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in here = address_of(own, port), there = address_of(peer, port);
    check(bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof(here)) == 0, "bind");
    check(connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof(there)) == 0, "connect");
    return fd;
}

struct Pair {
    UniqueFd here, there;

    /// Nanoseconds of one trip to and fro.
    [[nodiscard]] double round() const {
        timespec begin{}, end{};
        clock_gettime(CLOCK_MONOTONIC, &begin);
        char byte = 0;
        for (int i = 0; i < kTripsPerRound; i++) {
            check(send(here.get(), &byte, 1, 0) == 1 && recv(there.get(), &byte, 1, 0) == 1 &&
                      send(there.get(), &byte, 1, 0) == 1 && recv(here.get(), &byte, 1, 0) == 1,
                  "datagram");
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        return (static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                static_cast<double>(end.tv_nsec - begin.tv_nsec)) /
               kTripsPerRound;
    }
};

void measure(int turns) {
    const CgroupLayout layout = must(detect_layout());
    if (!layout.v2) {
        throw std::runtime_error("containers are told by a v1 hierarchy here");
    }
    const KernelTypes types = must(KernelTypes::load());
    ScopeOptions options;
    options.slots = SLOT_FIRST + 8;
    options.provisional = 4;
    const auto scope = must(Scope::load(options, types));
    auto floor = must(open_skeleton<traffic_floor_bpf>({}));
    must(load_skeleton(*floor));

    pin_to_last_cpu();
    const Namespace hosts, other;
    shell("ip link add p0 type veth peer name p0 netns " + hosts.path() +
          " && ip addr add 10.234.0.2/24 dev p0 && ip link set p0 up");
    hosts.enter();
    shell("ip addr add 10.234.0.1/24 dev p0 && ip link set p0 up");

    auto probe = must(open_skeleton<traffic_bpf>(scope->maps()));
    probe->rodata->host_network = hosts.number();
    probe->rodata->kernel_can_cast = types.can_cast();
    bpf_map__set_max_entries(probe->maps.tenures, scope->slot_count());
    bpf_map__set_max_entries(probe->maps.has_own_network, scope->slot_count());
    must(load_skeleton(*probe));

    const auto container = [&](const char* name, std::uint32_t slot) {
        const std::string path = "/plimsoll-bench-" + std::to_string(getpid()) + name;
        mkdir((layout.mount + path).c_str(), 0755);
        scope->assign(id_of(layout, path).value_or(0), slot);
        return layout.mount + path;
    };
    const std::string hosted = container("-hosted", SLOT_FIRST), apart = container("-apart", SLOT_FIRST + 1);
    set_in_map(bpf_map__fd(probe->maps.has_own_network), SLOT_FIRST + 1, 1);
    const UniqueFd root(open(layout.mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto pair = [&](const std::string& here, const std::string& there, int port) {
        return Pair{socket_of(here, hosts, "10.234.0.1", "10.234.0.2", port),
                    socket_of(there, other, "10.234.0.2", "10.234.0.1", port)};
    };
    const Pair host = pair(hosted, layout.mount, 7001), own = pair(layout.mount, apart, 7002),
               nobodys = pair(layout.mount, layout.mount, 7003);
    std::ofstream(layout.mount + "/cgroup.procs") << getpid();

    const auto attach = [&](bpf_program* program) { return bpf_program__attach_cgroup(program, root.get()); };
    const auto group = [&](const char* suffix, const Pair& talkers) {
        const auto& to = floor->progs;
        return Group{suffix,
                     [&talkers] { return talkers.round(); },
                     {{"bare", nothing()},
                      {"empty", programs({to.received_empty, to.sent_empty}, attach)},
                      {"timestamp", programs({to.received_timestamp, to.sent_timestamp}, attach)},
                      {"probe", programs({probe->progs.on_received, probe->progs.on_sent}, attach)}}};
    };
    std::vector<Group> groups{group("host", host), group("own", own), group("unwatched", nobodys)};
    run_in_turn(groups, turns);
    std::uint64_t counted = 0;
    each_entry<traffic_key, traffic_account>(
        bpf_map__fd(probe->maps.traffic_accounts),
        [&](const traffic_key&, const traffic_account& account) { counted += account.packets; });
    if (counted != static_cast<std::uint64_t>(turns) * kRoundsPerTurn * kTripsPerRound * 2) {
        throw std::runtime_error(std::to_string(counted) +
                                 " packets were counted, so something else was measured");
    }
    // Half of the runs of the first two groups are for the socket of nobody's container.
    const auto run_ns = [&](std::size_t of, std::size_t contender) {
        const double nobody = groups[2].added(contender) / kRunsPerTrip;
        return of == 2 ? nobody : groups[of].added(contender) / (kRunsPerTrip / 2) - nobody;
    };
    for (std::size_t of = 0; of < groups.size(); of++) {
        std::printf("traffic_packet_ns_%s_bare %.1f\n", groups[of].suffix.c_str(), groups[of].bare() / 2);
        for (std::size_t i = 1; i < groups[of].contenders.size(); i++) {
            std::printf("traffic_run_ns_%s_%s %.1f\n", groups[of].suffix.c_str(),
                        groups[of].contenders[i].name, run_ns(of, i));
        }
    }
    for (std::size_t of = 0; of < groups.size(); of++) {
        std::printf("traffic_cost_ratio_%s %.3f\n", groups[of].suffix.c_str(), run_ns(of, 3) / run_ns(of, 2));
        std::printf("traffic_cost_ratio_%s_empty %.3f\n", groups[of].suffix.c_str(),
                    run_ns(of, 3) / run_ns(of, 1));
    }
    rmdir(hosted.c_str());
    rmdir(apart.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv, 60, measure);
}
