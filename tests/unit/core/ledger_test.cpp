// SPDX-License-Identifier: Apache-2.0
#include "core/ledger.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "fake_account.h"

namespace plimsoll {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST_CASE("open intervals count up to the moment of the reading") {
    Account account;
    LedgerReading reading;
    account.birth(100 * kSecond);
    account.change(STATE_RUNNABLE, STATE_RUNNING, 101 * kSecond);
    account.change(STATE_RUNNING, STATE_PIPE, 103 * kSecond);
    const LedgerValues at_110 = reading.update(account.value, 110 * kSecond);
    CHECK(at_110.state_ns[STATE_RUNNABLE] == 1 * kSecond);
    CHECK(at_110.state_ns[STATE_RUNNING] == 2 * kSecond);
    CHECK(at_110.state_ns[STATE_PIPE] == 7 * kSecond);
    CHECK(at_110.lifetime_ns == 10 * kSecond);
    CHECK(at_110.threads[STATE_PIPE] == 1);
    CHECK(at_110.threads[STATE_RUNNING] == 0);
    CHECK(at_110.thread_count == 1);
    CHECK(at_110.processes == 1);
    CHECK(reading.update(account.value, 170 * kSecond).state_ns[STATE_PIPE] == 67 * kSecond);
}

TEST_CASE("after the last death the values stand still and no thread is left") {
    Account account;
    LedgerReading reading;
    account.birth(10);
    account.change(STATE_RUNNABLE, STATE_RUNNING, 20);
    account.death(STATE_RUNNING, 50);
    for (const std::uint64_t now : {std::uint64_t{50}, kSecond, 1000 * kSecond}) {
        const LedgerValues& values = reading.update(account.value, now);
        CHECK(values.lifetime_ns == 40);
        CHECK(values.state_ns[STATE_RUNNING] == 30);
        CHECK(values.thread_count == 0);
        CHECK(values.processes == 0);
    }
}

TEST_CASE("a thread that enters on one CPU and leaves on another is whole in the sum") {
    Account first, second;
    first.birth(100);
    second.change(STATE_RUNNABLE, STATE_FUTEX, 130);  // n of runnable is -1 here
    second.death(STATE_FUTEX, 200);
    ledger_account sum{};
    add_account(sum, first.value);
    add_account(sum, second.value);
    const LedgerValues values = LedgerReading().update(sum, 500);
    CHECK(values.state_ns[STATE_RUNNABLE] == 30);
    CHECK(values.state_ns[STATE_FUTEX] == 70);
    CHECK(values.lifetime_ns == 100);
    CHECK(values.thread_count == 0);
}

TEST_CASE("adding accounts adds every field") {
    ledger_account one{}, sum{};
    auto* words = reinterpret_cast<__u64*>(&one);
    for (std::size_t i = 0; i < sizeof(one) / sizeof(__u64); i++) {
        words[i] = i + 1;
    }
    add_account(sum, one);
    add_account(sum, one);
    const auto* sums = reinterpret_cast<const __u64*>(&sum);
    for (std::size_t i = 0; i < sizeof(sum) / sizeof(__u64); i++) {
        CHECK(sums[i] == 2 * (i + 1));
    }
}

TEST_CASE("a change that happened after the reading's moment counts as zero, not as 2^64") {
    Account account;
    LedgerReading reading;
    account.birth(1000);
    account.change(STATE_RUNNABLE, STATE_DISK, 1500);
    const LedgerValues& early = reading.update(account.value, 1400);  // the clock was read before the account
    CHECK(early.state_ns[STATE_DISK] == 0);
    CHECK(early.state_ns[STATE_RUNNABLE] == 400);  // what is exported adds up
    CHECK(early.lifetime_ns == 400);
    CHECK(reading.residual_ns() == 0);
    CHECK(reading.update(account.value, 2000).state_ns[STATE_DISK] == 500);
    CHECK(reading.residual_ns() == 0);
}

TEST_CASE("exported values never go back, also when a reading does") {
    Account account;
    LedgerReading reading;
    account.birth(0);
    const std::uint64_t before = reading.update(account.value, 5000).state_ns[STATE_RUNNABLE];
    const LedgerValues& again = reading.update(account.value, 4000);
    CHECK(again.state_ns[STATE_RUNNABLE] == before);
    CHECK(again.lifetime_ns == 5000);
    CHECK(reading.update(account.value, 6000).state_ns[STATE_RUNNABLE] == 6000);
}

TEST_CASE("random lives add up: the states' sum is the lifetime at every moment") {
    std::mt19937_64 random(23);
    std::array<Account, 4> cpus{};
    LedgerReading reading;
    std::vector<std::uint32_t> threads;
    std::uint64_t now = 77 * kSecond, lifetime = 0, alive = 0;
    for (int step = 0; step < 20'000; step++) {
        const std::uint64_t passed = random() % 1'000'000;
        now += passed;
        lifetime += passed * alive;
        Account& cpu = cpus[random() % cpus.size()];
        if (threads.empty() || random() % 10 == 0) {
            cpu.birth(now);
            threads.push_back(STATE_RUNNABLE);
        } else if (random() % 11 == 0) {
            cpu.death(threads.back(), now);
            threads.pop_back();
        } else {
            std::uint32_t& state = threads[random() % threads.size()];
            const auto next = static_cast<std::uint32_t>(random() % CELL_STATES_END);
            cpu.change(state, next, now);
            state = next;
        }
        alive = threads.size();
        if (step % 100 == 0) {
            ledger_account sum{};
            for (const auto& account : cpus) {
                add_account(sum, account.value);
            }
            REQUIRE(reading.update(sum, now).lifetime_ns == lifetime);
            REQUIRE(reading.residual_ns() == 0);
        }
    }
}

TEST_CASE("stolen time is clamped as a sum, so that it is never negative and never goes back") {
    Account account;
    LedgerReading reading;
    const auto stolen_after = [&](std::int64_t change_ns) {
        account.value.stolen_ns += static_cast<std::uint64_t>(change_ns);
        return reading.update(account.value, 0).stolen_ns;
    };
    CHECK(stolen_after(-30) == 0);  // the kernel's timestamp is a little earlier than the hook's
    CHECK(stolen_after(1000) == 970);
    CHECK(stolen_after(-300) == 970);
    CHECK(stolen_after(400) == 1070);
}

TEST_CASE("kinds of waits add up to their state, threads too") {
    Account account;
    LedgerReading reading;
    for (std::uint64_t begin : {100, 200, 300}) {
        account.birth(begin * kSecond);
    }
    account.change(STATE_RUNNABLE, CELL_SOCKET_TCP_CLIENT, 300 * kSecond);
    account.change(STATE_RUNNABLE, CELL_SOCKET_UDP, 301 * kSecond);
    account.change(STATE_RUNNABLE, STATE_SOCKET, 303 * kSecond);
    account.change(CELL_SOCKET_UDP, CELL_PIPE_WRITE, 306 * kSecond);
    const auto& values = reading.update(account.value, 310 * kSecond);
    CHECK(values.cell_ns[CELL_SOCKET_TCP_CLIENT] == 10 * kSecond);
    CHECK(values.cell_ns[CELL_SOCKET_TCP_SERVER] == 0);
    CHECK(values.cell_ns[CELL_SOCKET_UDP] == 5 * kSecond);
    CHECK(values.cell_ns[STATE_SOCKET] == 7 * kSecond);
    CHECK(values.state_ns[STATE_SOCKET] == 22 * kSecond);
    CHECK(values.threads[STATE_SOCKET] == 2);
    CHECK(values.state_ns[STATE_PIPE] == 4 * kSecond);
    CHECK(values.cell_ns[STATE_PIPE] == 0);
    CHECK(values.threads[STATE_PIPE] == 1);
    CHECK(reading.residual_ns() == 0);
}

TEST_CASE("every cell belongs to one state") {
    std::map<std::size_t, int> kinds;
    for (std::size_t cell = 0; cell < CELL_STATES_END; cell++) {
        kinds[state_of_cell(cell)]++;
    }
    CHECK(kinds.size() == STATE_COUNT);
    CHECK(kinds[STATE_SOCKET] == 4);
    CHECK(kinds[STATE_UNIX] == 2);
    CHECK(kinds[STATE_PIPE] == 2);
}

TEST_CASE("processes that were booked elsewhere never show as 2^64") {
    Account account;
    account.value.processes = ~std::uint64_t{0};
    account.value.cells[STATE_PIPE].n = ~std::uint64_t{0};
    const LedgerValues values = LedgerReading().update(account.value, 0);
    CHECK(values.processes == 0);
    CHECK(values.threads[STATE_PIPE] == 0);
}

TEST_CASE("each state has a name of its own, in the order of the enumeration") {
    CHECK(std::set<std::string_view>(kStateNames.begin(), kStateNames.end()).size() == STATE_COUNT);
    CHECK(kStateNames[STATE_RUNNING] == "running");
    CHECK(kStateNames[STATE_IO_URING] == "io_uring");
    CHECK(kStateNames[STATE_BLOCKED] == "blocked");
    CHECK(kStateNames[STATE_OTHER] == "other");
}

/// Changes two far-apart words that stay equal, between marks, as a kernel program does.
void write_rounds(ledger_account& live, const std::atomic<bool>& stop) {
    const auto set = [](__u64& word, __u64 value) {
        std::atomic_ref<__u64>(word).store(value, std::memory_order_release);
    };
    for (__u64 round = 1; !stop.load(std::memory_order_relaxed); round++) {
        set(live.begun, round);
        std::atomic_ref<__u64>(live.cells[STATE_RUNNING].n).exchange(round);  // not before the mark
        set(live.latency_buckets[0], round);
        set(live.reserved[2], round);
        set(live.ended, round);
        for (int pause = 0; pause < 50'000; pause++) {  // long enough for a copy, also in a sanitized build
            std::atomic_signal_fence(std::memory_order_seq_cst);
        }
    }
}

TEST_CASE("a copy of an account that is being written is never torn") {
    const auto live = std::make_unique<ledger_account>();
    std::atomic<bool> stop{false};
    std::thread writer([&] { write_rounds(*live, stop); });
    std::uint64_t whole = 0, torn = 0, backwards = 0, changes = 0, last = 0;
    // 100,000 whole copies, and as many more as it takes until the writer had its share of the CPUs.
    while (whole < 100'000 || changes < 1000) {
        const ledger_account copy = read_account(*live);
        if (!is_whole(copy)) {
            continue;  // the scheduler took the writer's CPU away in the middle of a change
        }
        const __u64 value = copy.cells[STATE_RUNNING].n;
        whole++;
        torn += copy.latency_buckets[0] != value || copy.reserved[2] != value ? 1 : 0;
        backwards += value < last ? 1 : 0;
        changes += value != last ? 1 : 0;
        last = value;
    }
    stop = true;
    writer.join();
    CHECK(torn == 0);
    CHECK(backwards == 0);
}

TEST_CASE("a writer that stops in the middle of a change neither holds the reader up nor spoils its values") {
    Account account;
    LedgerReading reading;
    account.value.begun = account.value.ended = 7;
    account.birth(100 * kSecond);
    account.change(STATE_RUNNABLE, STATE_RUNNING, 101 * kSecond);
    const LedgerValues before = reading.update(read_account(account.value), 103 * kSecond);
    ledger_account live = account.value;
    live.begun++;
    live.cells[STATE_RUNNING].n--;
    live.cells[STATE_PIPE].n++;  // the sums would follow
    const ledger_account copy = read_account(live);
    CHECK_FALSE(is_whole(copy));
    ledger_account sum = account.value;
    add_account(sum, copy);
    CHECK_FALSE(is_whole(sum));
    const LedgerValues& during = reading.update(sum, 104 * kSecond);
    CHECK(during.state_ns[STATE_PIPE] == 0);
    CHECK(during.state_ns == before.state_ns);
    const LedgerValues& after = reading.update(read_account(account.value), 105 * kSecond);
    CHECK(after.state_ns[STATE_RUNNING] == 4 * kSecond);
    CHECK(reading.residual_ns() == 0);
}

}  // namespace
}  // namespace plimsoll
