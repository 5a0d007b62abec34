// SPDX-License-Identifier: Apache-2.0
#include "core/keyed_sums.h"

#include <catch2/catch.hpp>

#include <string>
#include <tuple>

namespace plimsoll {
namespace {

struct Account {
    __u64 events;
    __u64 bytes;
};

/// What kernel programs do: they take the tenure when something begins, and book when it ends.
class Kernel : public KeyedAccounts<std::string, Account> {
  public:
    std::vector<Entry> read() override {
        reads++;
        std::vector<Entry> entries;
        for (const auto& [key, account] : map_) {
            entries.push_back({{std::get<0>(key), std::get<1>(key)}, std::get<2>(key), account});
        }
        return entries;
    }
    std::optional<Account> take(const tenure& owner, const std::string& key) override {
        const auto node = map_.extract({owner.slot, owner.number, key});
        return node.empty() ? std::nullopt : std::optional(node.mapped());
    }
    void announce(const tenure& owner) override { numbers_[owner.slot] = owner.number; }

    tenure now(std::uint32_t slot) { return {slot, numbers_[slot]}; }
    void book(const tenure& owner, const std::string& key, __u64 events) {
        Account& account = map_[{owner.slot, owner.number, key}];
        account.events += events;
        account.bytes += 10 * events;
    }
    void book(std::uint32_t slot, const std::string& key, __u64 events) { book(now(slot), key, events); }
    [[nodiscard]] std::size_t size() const { return map_.size(); }

    int reads = 0;

  private:
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::string>, Account> map_;
    std::map<std::uint32_t, std::uint32_t> numbers_;
};

struct Fixture {
    Kernel kernel;
    KeyedSums<std::string, Account> sums{kernel};

    using Events = std::map<std::string, std::uint64_t>;
    Events events(Handle container, const std::vector<std::uint32_t>& slots) const {
        Events result;
        for (const auto& [key, account] : sums.sum(container, slots)) {
            CHECK(account.bytes == 10 * account.events);
            result[key] = account.events;
        }
        return result;
    }
};

using Events = Fixture::Events;
constexpr Handle kWeb = 7, kDatabase = 8;

TEST_CASE_METHOD(Fixture, "keyed accounts of a container are those of its slots, added up by key") {
    kernel.book(2, "sda", 23);
    kernel.book(3, "sda", 29);
    kernel.book(3, "sdb", 31);
    kernel.book(4, "sda", 1000);
    sums.update();
    CHECK(events(kWeb, {2, 3}) == Events{{"sda", 52}, {"sdb", 31}});
    CHECK(events(kWeb, {}).empty());
    kernel.book(2, "sda", 5);
    sums.update();
    CHECK(events(kWeb, {2, 3}) == Events{{"sda", 57}, {"sdb", 31}});
}

TEST_CASE_METHOD(
    Fixture,
    "a folded slot's keyed accounts go to the heir, leave the map, and none reaches the next holder") {
    kernel.book(2, "sda", 23);
    kernel.book(2, "sdb", 29);
    sums.update();
    sums.fold(2, kWeb);
    kernel.book(2, "sda", 31);
    sums.update();
    CHECK(events(kWeb, {}) == Events{{"sda", 23}, {"sdb", 29}});
    CHECK(events(kDatabase, {2}) == Events{{"sda", 31}});
    CHECK(kernel.size() == 1);
}

TEST_CASE_METHOD(
    Fixture, "keyed accounts of a container that keeps its slot are not lost when it inherits another's") {
    kernel.book(2, "sda", 23);
    kernel.book(3, "sda", 29);
    sums.fold(3, kWeb);
    sums.update();
    CHECK(events(kWeb, {2}) == Events{{"sda", 52}});
    kernel.book(2, "sda", 1);
    sums.update();
    CHECK(events(kWeb, {2}) == Events{{"sda", 53}});
}

TEST_CASE_METHOD(Fixture,
                 "what is booked late still reaches the heir, and never the next holder of the slot") {
    const tenure began = kernel.now(2);
    sums.fold(2, kWeb);
    kernel.book(began, "sda", 23);
    sums.update();
    kernel.book(began, "sda", 5);
    sums.update();
    CHECK(events(kWeb, {}) == Events{{"sda", 28}});
    CHECK(events(kDatabase, {2}).empty());

    SECTION("what comes later than that is nobody's, and does not stay in the map") {
        kernel.book(began, "sda", 1000);
        sums.update();
        CHECK(events(kWeb, {}) == Events{{"sda", 28}});
        CHECK(events(kDatabase, {2}).empty());
        CHECK(kernel.size() == 0);
    }
}

TEST_CASE_METHOD(Fixture,
                 "a slot that changes hands twice between two updates gives each heir its own part") {
    kernel.book(2, "sda", 23);
    sums.fold(2, kWeb);
    kernel.book(2, "sda", 29);
    sums.fold(2, kDatabase);
    kernel.book(2, "sda", 31);
    sums.update();
    CHECK(events(kWeb, {}) == Events{{"sda", 23}});
    CHECK(events(kDatabase, {}) == Events{{"sda", 29}});
    CHECK(events(99, {2}) == Events{{"sda", 31}});
}

TEST_CASE_METHOD(Fixture, "keyed accounts of what is gone for good leave the map and the heirs") {
    CHECK(sums.empty());
    kernel.book(2, "veth1", 23);
    kernel.book(3, "veth1", 29);
    kernel.book(3, "eth0", 31);
    sums.fold(2, kWeb);
    sums.update();
    CHECK_FALSE(sums.empty());
    sums.drop([](const std::string& key) { return key == "veth1"; });
    CHECK(events(kWeb, {3}) == Events{{"eth0", 31}});
    CHECK(kernel.size() == 1);
    kernel.book(3, "veth1", 5);
    sums.update();
    CHECK(events(kWeb, {3}) == Events{{"eth0", 31}, {"veth1", 5}});
}

TEST_CASE_METHOD(Fixture, "keyed accounts that nobody inherits are dropped from the map too") {
    kernel.book(2, "sda", 23);
    sums.fold(2, 0);
    sums.update();
    CHECK(kernel.size() == 0);
    CHECK(events(0, {}).empty());
    CHECK(events(kWeb, {2}).empty());
}

TEST_CASE_METHOD(Fixture, "a folded slot has no keyed accounts even before the next update") {
    kernel.book(2, "sda", 23);
    sums.update();
    sums.fold(2, 0);
    CHECK(events(kWeb, {2}).empty());
}

TEST_CASE_METHOD(Fixture, "what a forgotten container would inherit later is dropped") {
    kernel.book(2, "sda", 23);
    sums.fold(2, kWeb);
    sums.forget(kWeb);
    sums.update();
    CHECK(events(kWeb, {}).empty());
    kernel.book(2, "sda", 29);
    sums.fold(2, kDatabase);
    sums.update();
    sums.forget(kDatabase);
    CHECK(events(kDatabase, {}).empty());
}

TEST_CASE_METHOD(Fixture, "many slots that change hands while nobody scrapes do not fill the map") {
    constexpr int kChanges = 10'000;
    std::size_t most = 0;
    for (int i = 0; i < kChanges; i++) {
        kernel.book(2, "sda", 1);
        sums.fold(2, kWeb);
        most = std::max(most, kernel.size());
    }
    CHECK(most <= 256);
    CHECK(kernel.reads < kChanges / 100);
    sums.update();
    CHECK(events(kWeb, {}) == Events{{"sda", kChanges}});
}

TEST_CASE_METHOD(Fixture, "a tenure is current until its slot changes hands") {
    CHECK(sums.is_current(kernel.now(2)));
    const tenure before = kernel.now(2);
    sums.fold(2, kWeb);
    CHECK(!sums.is_current(before));
    CHECK(sums.is_current(kernel.now(2)));
}

TEST_CASE_METHOD(Fixture,
                 "what is given back counts once more with what it had at last, and begins with nothing") {
    kernel.book(2, "sda", 23);
    kernel.book(2, "sdb", 29);
    sums.update();
    const auto places = sums.give_back([&](std::uint32_t slot, const std::string& key, const Account& seen) {
        kernel.book(slot, key, 1);  // while it is asked about
        return key == "sda" && seen.events == 23;
    });
    REQUIRE(places.size() == 1);
    CHECK(places[0].key == "sda");
    CHECK(kernel.size() == 1);
    CHECK(events(kWeb, {2}) == Events{{"sda", 24}, {"sdb", 29}});
    sums.leave(places);
    CHECK(events(kWeb, {2}) == Events{{"sdb", 29}});
    kernel.book(2, "sda", 5);
    sums.update();
    CHECK(events(kWeb, {2}) == Events{{"sda", 5}, {"sdb", 30}});
}

TEST_CASE_METHOD(Fixture, "a part of a key's sum is given back, the rest stays") {
    kernel.book(2, "sda", 23);
    sums.update();
    sums.fold(2, kWeb);
    kernel.book(2, "sda", 29);
    kernel.book(3, "sda", 31);
    sums.update();
    CHECK(sums.sum(kWeb, std::vector<std::uint32_t>{2, 3}, "sda")->events == 83);
    sums.leave(sums.give_back([](std::uint32_t slot, const auto&, const auto&) { return slot == 2; }));
    CHECK(sums.sum(kWeb, std::vector<std::uint32_t>{2, 3}, "sda")->events == 54);
    sums.leave(sums.give_back([](const auto&, const auto&, const auto&) { return true; }));
    CHECK(sums.sum(kWeb, std::vector<std::uint32_t>{2, 3}, "sda")->events == 23);
    CHECK_FALSE(sums.sum(kDatabase, std::vector<std::uint32_t>{2, 3}, "sda"));
    CHECK(kernel.size() == 0);
}

TEST_CASE_METHOD(Fixture, "accounts of tenures that have ended are the heir's, never given back") {
    kernel.book(2, "sda", 23);
    sums.update();
    sums.fold(2, kWeb);
    sums.update();
    int asked = 0;
    CHECK(sums.give_back([&](const auto&, const auto&, const auto&) { return ++asked > 0; }).empty());
    CHECK(asked == 0);
    CHECK(events(kWeb, {}) == Events{{"sda", 23}});
}

}  // namespace
}  // namespace plimsoll
