// SPDX-License-Identifier: Apache-2.0
// The probes that look into processes, over a /proc of ours.
#include <sys/statvfs.h>
#include <catch2/catch.hpp>

#include "../files/process_fixture.h"
#include "file_fixture.h"
#include "probes/process_probe.h"

namespace plimsoll {
namespace {

using file_test::Page;
using file_test::page_of;

std::string net_dev(const std::string& interface, std::uint64_t bytes) {
    return "Inter-|   Receive\n face |bytes\n  " + interface + ": " + std::to_string(bytes) +
           " 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n";
}

std::string received(const std::string& interface) {
    return "container_network_receive_bytes_total{interface=\"" + interface + "\"}";
}

/// Containers /c1, /c2, … with process 1001, 1002, … in each, and a host with process 1.
class Fixture {
  public:
    Fixture(std::unique_ptr<Probe> probe, int containers, std::size_t descriptors)
        : host_(std::make_unique<process_test::Host>()),
          budget_(descriptors),
          processes_(host_->finder(), &budget_),
          probe_(std::move(probe)) {
        host_->process(1, "/");
        for (int number = 1; number <= containers; ++number) {
            cgroups_.push_back("/c" + std::to_string(number));
            host_->cgroup(cgroups_.back(), std::to_string(pid(number)) + "\n");
            host_->process(pid(number), cgroups_.back());
        }
        dynamic_cast<LooksIntoProcesses&>(*probe_).open(&processes_);
    }
    static int pid(int container) { return 1000 + container; }
    process_test::Host& host() { return *host_; }

    /// The page of each container, the first one the oldest; the last `ended` of them have ended.
    std::vector<Page> sample(std::size_t ended = 0) {
        Snapshot snapshot;
        snapshot.containers.resize(cgroups_.size());
        SampleWriter writer(snapshot);
        std::vector<SampledContainer> containers;
        for (std::uint32_t index = 0; index < cgroups_.size(); ++index) {
            containers.push_back({.index = index,
                                  .handle = index + 1,
                                  .slots = {},
                                  .cgroup = cgroups_[index],
                                  .cgroup_id = index + 1,
                                  .since_ns = index,
                                  .ended = index + ended >= cgroups_.size()});
        }
        probe_->sample({1, containers, {}}, writer);
        processes_.end_sample();
        std::vector<Page> pages;
        for (std::uint32_t index = 0; index < cgroups_.size(); ++index) {
            pages.push_back(page_of(snapshot, index));
        }
        return pages;
    }

  private:
    std::unique_ptr<process_test::Host> host_;
    DescriptorBudget budget_;
    ContainerProcesses processes_;
    std::unique_ptr<Probe> probe_;
    std::vector<std::string> cgroups_;
};

TEST_CASE("traffic is right and no descriptor too many stays, whatever may be kept") {
    for (const std::size_t descriptors : {0U, 2U, 100U}) {
        CAPTURE(descriptors);
        Fixture fixture(make_network_probe(), 5, descriptors);
        for (std::uint64_t sample = 1; sample <= 3; ++sample) {
            for (int number = 1; number <= 5; ++number) {
                fixture.host().write(Fixture::pid(number), "net/dev",
                                     net_dev("eth0", static_cast<unsigned>(number) * 100 + sample));
            }
            const auto pages = fixture.sample();
            for (std::uint64_t number = 1; number <= 5; ++number) {
                CHECK(pages[number - 1].size() == 8);
                CHECK(pages[number - 1].at(received("eth0")) == number * 100 + sample);
            }
            CHECK(fixture.host().open_directories() == std::min<std::size_t>(descriptors, 5));
        }
        CHECK(fixture.sample(5)[4].at(received("eth0")) == 503);
        CHECK(fixture.host().open_directories() == 0);
    }
}

TEST_CASE("the oldest container of a namespace shows it, and nobody the host's") {
    Fixture fixture(make_network_probe(), 3, 100);
    fixture.host().network(Fixture::pid(2), "shared");
    fixture.host().network(Fixture::pid(3), "shared");
    fixture.host().network(1, "host");
    fixture.host().network(Fixture::pid(1), "host");
    for (int number = 1; number <= 3; ++number) {
        fixture.host().write(Fixture::pid(number), "net/dev", net_dev("eth0", 7));
    }
    const auto pages = fixture.sample();
    CHECK(pages[0].empty());
    CHECK(pages[1].at(received("eth0")) == 7);
    CHECK(pages[2].empty());
}

TEST_CASE("interfaces whose names are no text, or look as if, have labels of their own") {
    Fixture fixture(make_network_probe(), 1, 100);
    const std::string garbage = "\xff", look_alike = "\uFFFD#ff", replacement = "\uFFFD";
    std::string text = net_dev("eth0", 29);
    for (const auto& name : {garbage, look_alike, replacement}) {
        const auto more = net_dev(name, 31);
        text += more.substr(more.rfind("  " + name));
    }
    fixture.host().write(Fixture::pid(1), "net/dev", text);
    const auto page = fixture.sample()[0];
    CHECK(page.size() == std::size_t{4} * 8);
    CHECK(page.at(received("eth0")) == 29);
    CHECK(page.at(received("\uFFFD#ff")) == 31);
    CHECK(page.at(received("\uFFFD#ff#efbfbd236666")) == 31);
    CHECK(page.at(received("\uFFFD#efbfbd")) == 31);
}

TEST_CASE("space is right and no descriptor too many stays, whatever may be kept") {
    const container_test::Directory files;
    struct statvfs truth{};
    REQUIRE(statvfs(files.path().c_str(), &truth) == 0);
    for (const std::size_t descriptors : {0U, 2U, 100U}) {
        CAPTURE(descriptors);
        Fixture fixture(make_filesystem_probe(), 5, descriptors);
        fixture.host().link(1, "root", "/");
        for (int number = 1; number <= 5; ++number) {
            fixture.host().write(Fixture::pid(number), "mountinfo",
                                 "2 1 253:2 / / rw - ext4 /dev/vd" + std::to_string(number) + " rw\n");
            fixture.host().link(Fixture::pid(number), "root", files.path());
        }
        for (int sample = 0; sample < 3; ++sample) {
            const auto pages = fixture.sample();
            for (std::size_t number = 1; number <= 5; ++number) {
                const std::string labels = "{device=\"/dev/vd" + std::to_string(number) + "\"}";
                CHECK(pages[number - 1].at("container_fs_limit_bytes" + labels) ==
                      truth.f_blocks * truth.f_frsize);
            }
            CHECK(fixture.host().open_directories() == std::min<std::size_t>(descriptors, 5));
        }
        CHECK(fixture.sample(5)[0].empty());
        CHECK(fixture.host().open_directories() == 0);
    }
}

TEST_CASE("descriptors of each process of a container are counted, and none of ours stays") {
    Fixture fixture(make_descriptors_probe(), 2, 0);
    fixture.host().cgroup("/c1", "1001\n2001\n");
    fixture.host().process(2001, "/c1");
    fixture.host().link(1001, "fd/0", "socket:[1]");
    fixture.host().link(2001, "fd/0", "/dev/null");
    fixture.host().link(2001, "fd/1", "pipe:[2]");
    const auto pages = fixture.sample();
    CHECK(pages[0].at("container_sockets") == 1);
    CHECK(pages[1].at("container_sockets") == 0);
    CHECK(fixture.host().open_directories() == 0);
}

}  // namespace
}  // namespace plimsoll
