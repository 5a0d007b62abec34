// SPDX-License-Identifier: Apache-2.0
#include "core/interface_counters.h"

#include <catch2/catch.hpp>

namespace plimsoll {
namespace {

constexpr NamespaceId kOne{4, 1001}, kOther{4, 1002};

std::vector<NetInterface> one(std::string_view name, std::uint64_t bytes, std::uint64_t packets = 0) {
    return {{name, {bytes, packets, 0, 0, 0, 0, 0, 0}}};
}

std::uint64_t bytes(const InterfaceCounters& counters, std::string_view name) {
    return counters.all().find(name)->second.shown[NetColumn::receive_bytes];
}

bool present(const InterfaceCounters& counters, std::string_view name) {
    const auto found = counters.all().find(name);
    return found != counters.all().end() && found->second.present;
}

TEST_CASE("the kernel's numbers are passed on as they are") {
    InterfaceCounters counters;
    counters.update(kOne, one("eth0", 29));
    CHECK(bytes(counters, "eth0") == 29);
    counters.update(kOne, one("eth0", 31));
    CHECK(bytes(counters, "eth0") == 31);
    counters.update(kOne, one("eth0", 31));
    CHECK(bytes(counters, "eth0") == 31);
}

TEST_CASE("an interface made anew goes on where the one before ended") {
    InterfaceCounters counters;
    counters.update(kOne, one("eth0", 100, 10));
    counters.update(kOne, {});
    CHECK_FALSE(present(counters, "eth0"));
    // More bytes than before, but fewer packets: all its counters began at 0.
    counters.update(kOne, one("eth0", 150, 3));
    CHECK(present(counters, "eth0"));
    CHECK(bytes(counters, "eth0") == 250);
    CHECK(counters.all().find("eth0")->second.shown[NetColumn::receive_packets] == 13);
    counters.update(kOne, one("eth0", 160, 4));
    CHECK(bytes(counters, "eth0") == 260);
}

TEST_CASE("drops and errors that go back stay until they are beyond, and change nothing else") {
    InterfaceCounters counters;
    const auto update = [&](std::uint64_t bytes, std::uint64_t errors, std::uint64_t dropped) {
        counters.update(kOne, {{{"eth0", {bytes, 10, errors, dropped, 5, 5, 0, dropped}}}});
        return counters.all().find("eth0")->second.shown;
    };
    CHECK(update(100, 7, 50) == NetCounters{100, 10, 7, 50, 5, 5, 0, 50});
    CHECK(update(110, 6, 47) == NetCounters{110, 10, 7, 50, 5, 5, 0, 50});
    CHECK(update(110, 8, 49) == NetCounters{110, 10, 8, 50, 5, 5, 0, 50});
    CHECK(update(120, 8, 53) == NetCounters{120, 10, 8, 53, 5, 5, 0, 53});
    CHECK(update(20, 1, 2) == NetCounters{140, 20, 9, 55, 10, 10, 0, 55});  // made anew: all of them
}

TEST_CASE("namespaces that alternate count nothing twice and never take back") {
    InterfaceCounters counters;
    counters.update(kOne, one("eth0", 100));
    counters.update(kOther, one("eth0", 7000));
    CHECK(bytes(counters, "eth0") == 100);
    counters.update(kOther, one("eth0", 7010));
    CHECK(bytes(counters, "eth0") == 110);
    counters.update(kOne, one("eth0", 130));
    CHECK(bytes(counters, "eth0") == 110);
    counters.update(kOne, one("eth0", 131));
    CHECK(bytes(counters, "eth0") == 111);
}

TEST_CASE("no more interfaces are kept than the limit, and those that are there come first") {
    constexpr auto kMost = InterfaceCounters::kMost;
    InterfaceCounters counters;
    std::vector<std::string> names;
    for (std::size_t number = 0; number < 2 * kMost; ++number) {
        names.push_back("i" + std::to_string(number));
    }
    const auto list = [&](std::size_t first, std::size_t size) {
        std::vector<NetInterface> interfaces;
        for (std::size_t number = first; number < first + size; ++number) {
            interfaces.push_back({names[number], {number}});
        }
        return interfaces;
    };
    counters.update(kOne, list(0, kMost + 10));
    CHECK(counters.all().size() == kMost);
    counters.update(kOne, list(kMost - 1, kMost));
    CHECK(counters.all().size() == kMost);
    CHECK(present(counters, names[2 * kMost - 2]));
    counters.update(kOne, {});
    CHECK(counters.all().size() == kMost);  // remembered
    counters.clear();
    CHECK(counters.all().empty());
}

}  // namespace
}  // namespace plimsoll
