// SPDX-License-Identifier: Apache-2.0
// Where a cgroup v1 hierarchy identifies containers, the cgroup that the kernel keeps in a socket is no help:
// the owner is who connected or listened.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include <fstream>

#include "await.h"
#include "child.h"
#include "containers/hierarchy_number.h"
#include "core/clock.h"
#include "sockets.h"
#include "traffic.h"

namespace plimsoll::bpf_test {
namespace {

/// A cgroup of the v1 hierarchy; the test's processes enter it by themselves.
class V1Cgroup {
  public:
    V1Cgroup(const CgroupHierarchy& hierarchy, const std::string& name)
        : directory_(hierarchy.mount + "/plimsoll-test-" + std::to_string(getpid()) + name) {
        mkdir(directory_.c_str(), 0755);
    }
    V1Cgroup(const V1Cgroup&) = delete;
    V1Cgroup& operator=(const V1Cgroup&) = delete;
    ~V1Cgroup() {
        eventually([&] { return rmdir(directory_.c_str()) == 0; });
    }
    [[nodiscard]] std::uint64_t id() const {
        struct stat status{};
        return stat(directory_.c_str(), &status) == 0 ? status.st_ino : 0;  // the two are the same
    }
    void enter() const { std::ofstream(directory_ + "/cgroup.procs") << getpid(); }

  private:
    std::string directory_;
};

TEST_CASE("with containers by a v1 hierarchy, connections belong to who connected and who listened") {
    const CgroupTree tree;
    const CgroupHierarchy* pids = tree.layout().with_controller("pids");
    if (pids == nullptr) {
        WARN("SKIPPED: bpf: no v1 pids");
        return;
    }
    const Cgroup everybody = tree.make("other");
    const V1Cgroup server(*pids, "-server"), client(*pids, "-client");
    const auto types = KernelTypes::load();
    REQUIRE(types);
    ScopeOptions options{.slots = SLOT_FIRST + 4,
                         .provisional = 1,
                         .cgroup_v2 = false,
                         .controller = "pids",
                         .hierarchy_id = hierarchy_number("pids").value()};
    const auto scope = Scope::load(options, *types);
    REQUIRE(scope);
    constexpr std::uint32_t kServer = SLOT_FIRST, kClient = SLOT_FIRST + 1;
    (*scope)->assign(server.id(), kServer);
    (*scope)->assign(client.id(), kClient);
    const Config config = default_config();
    auto sockets = make_socket_probe(), tcp = make_tcp_probe();
    REQUIRE(sockets->start({**scope, *types, tree.layout(), config}));
    REQUIRE(tcp->start({**scope, *types, tree.layout(), config}));
    REQUIRE((*scope)->attach());

    Child listening(everybody, [&](const Parent& parent) {
        server.enter();
        const int listener = listen_on({AF_INET, false, 0});
        parent.tell(port_of(listener));
        const int fd = accept_one(listener);
        answer(fd);
        parent.tell(1);
        parent.wait();
        return 0;
    });
    const auto port = static_cast<std::uint16_t>(listening.hear());
    Child connected(everybody, [&](const Parent& parent) {
        client.enter();
        ask(connect_to({AF_INET, false, port}));
        parent.tell(1);
        parent.wait();
        return 0;
    });
    REQUIRE(listening.hear() == 1);
    REQUIRE(connected.hear() == 1);

    const std::array<std::uint32_t, 2> slots{kServer, kClient};
    const std::uint64_t now = boot_time_ns();
    const std::array<SampledContainer, 2> containers{SampledContainer{.index = 0,
                                                                      .handle = 1,
                                                                      .slots = {&slots[0], 1},
                                                                      .cgroup = "/server",
                                                                      .cgroup_id = server.id(),
                                                                      .since_ns = now},
                                                     SampledContainer{.index = 1,
                                                                      .handle = 2,
                                                                      .slots = {&slots[1], 1},
                                                                      .cgroup = "/client",
                                                                      .cgroup_id = client.id(),
                                                                      .since_ns = now}};
    Reading reading;
    reading.paths = {"/server", "/client"};
    SampleWriter writer(reading.snapshot);
    sockets->sample({now, containers, {}}, writer);
    tcp->sample({now, containers, {}}, writer);
    const Cgroup shown_server{"/server", 0, {}}, shown_client{"/client", 0, {}};
    CHECK(traffic(reading, shown_server, "tcp", "server", "read") == kAsked);
    CHECK(traffic(reading, shown_client, "tcp", "client", "read") == kAnswered);
    const auto opened = [&](const Cgroup& cgroup, const char* role) {
        return reading.value(cgroup, "container_tcp_connections_opened_total",
                             std::string("role=\"") + role + '"');
    };
    CHECK(opened(shown_server, "server") == 1);
    CHECK(opened(shown_client, "client") == 1);
    CHECK(opened(shown_server, "client") + opened(shown_client, "server") == 0);
    CHECK(reading.value(shown_server, "container_tcp_connections", "state=\"established\"") == 1);
    CHECK(reading.value(shown_server, "container_tcp_connections", "state=\"listen\"") == 1);
    CHECK(reading.value(shown_client, "container_tcp_connections", "state=\"established\"") == 1);
}

}  // namespace
}  // namespace plimsoll::bpf_test
