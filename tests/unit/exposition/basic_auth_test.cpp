// SPDX-License-Identifier: Apache-2.0
// The check of a password is counted here instead of made; that of libcrypt has a case of its own.
#include "exposition/security/basic_auth.h"

#include <openssl/evp.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

namespace plimsoll {
namespace {

using Verdict = BasicAuth::Verdict;

/// What a client sends.
std::string basic(const std::string& text) {
    std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                    reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    encoded.pop_back();
    return "Basic " + encoded;
}

/// The hash of a password is the password; how often each was asked for is known.
struct Counted {
    explicit Counted(const BasicAuth::Users& users) {
        auto made = BasicAuth::create(users, [this](const Credentials& given, const std::string& hash) {
            std::unique_lock lock(mutex);
            ++checks;
            ++with[hash];
            changed.notify_all();
            changed.wait(lock, [this] { return !hold; });
            return given.password() == hash;
        });
        REQUIRE(made);
        auth = std::move(*made);
    }
    Verdict check(const std::string& text, const std::string& source = "192.0.2.1") {
        return auth->check(basic(text), source, stop);
    }
    void release() {
        const std::lock_guard lock(mutex);
        hold = false;
        changed.notify_all();
    }
    void wait_for_checks(int count) {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return checks >= count; }));
    }

    std::mutex mutex;
    std::condition_variable changed;
    int checks = 0;
    std::map<std::string, int> with;
    bool hold = false;
    std::atomic<bool> stop{false};
    std::unique_ptr<BasicAuth> auth;
};

}  // namespace

TEST_CASE("What was right, and what was wrong, is checked once") {
    Counted counted(BasicAuth::Users{{"alice", "1"}, {"bob", "2"}});
    for (int round = 0; round < 3; ++round) {
        CHECK(counted.check("alice:1") == Verdict::granted);
        CHECK(counted.check("alice:2") == Verdict::denied);
        CHECK(counted.check("bob:2") == Verdict::granted);
        CHECK(counted.checks == 3);
    }
}

TEST_CASE(
    "A name that nobody has costs one check against always the same hash, and is refused whatever comes "
    "out") {
    Counted counted(BasicAuth::Users{{"alice", "1"}, {"bob", "2"}, {"carol", "3"}});
    for (int password = 1; password <= 3; ++password) {
        CHECK(counted.check("dave:" + std::to_string(password)) == Verdict::denied);
        CHECK(counted.checks == password);
    }
    CHECK(counted.with.size() == 1);
}

TEST_CASE("What is no name with a password is refused without a check") {
    Counted counted(BasicAuth::Users{{"alice", ""}});
    for (const std::string& header :
         {std::string(), std::string("Basic"), std::string("Basic "), std::string("Basic !!!!"),
          std::string("Bearer YTpi"), std::string("Basic YTpi YTpi"), basic("alice"),
          basic(std::string("alice:\0x", 8))}) {
        CHECK(counted.auth->check(header, "a", counted.stop) == Verdict::denied);
    }
    CHECK(counted.checks == 0);
    CHECK(counted.auth->check("bAsIc   " + basic("alice:").substr(6), "a", counted.stop) == Verdict::granted);
}

TEST_CASE("What is remembered of wrong passwords is bounded, and pushes out nothing that was right") {
    Counted counted(BasicAuth::Users{{"alice", "1"}});
    CHECK(counted.check("alice:1") == Verdict::granted);
    const int many = static_cast<int>(BasicAuth::kMostFailures);
    for (int i = 0; i <= many; ++i) {
        CHECK(counted.check("alice:wrong " + std::to_string(i)) == Verdict::denied);
    }
    CHECK(counted.checks == 1 + many + 1);
    CHECK(counted.check("alice:1") == Verdict::granted);
    CHECK(counted.check("alice:wrong " + std::to_string(many)) == Verdict::denied);
    CHECK(counted.checks == 1 + many + 1);
    CHECK(counted.check("alice:wrong 0") == Verdict::denied);  // forgotten
    CHECK(counted.checks == 1 + many + 2);
}

TEST_CASE("One check is made at a time, few wait for theirs, and who is known does not wait at all") {
    Counted counted(BasicAuth::Users{{"alice", "1"}});
    CHECK(counted.check("alice:1") == Verdict::granted);
    counted.hold = true;
    std::vector<std::future<Verdict>> waiting;
    const auto begin = [&](int number, const std::string& source) {
        waiting.push_back(std::async(std::launch::async, [&counted, number, source] {
            return counted.check("alice:wrong " + std::to_string(number), source);
        }));
    };
    begin(0, "192.0.2.1");
    counted.wait_for_checks(2);
    begin(1, "192.0.2.1");
    // The second may not have begun yet: what it and this one get together is known all the same.
    begin(2, "192.0.2.1");
    const auto sent_away = [&] {
        return std::ranges::count_if(waiting, [](const auto& one) {
            return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        });
    };
    while (sent_away() < 1) {
        std::this_thread::yield();
    }
    for (int other = 0; other < static_cast<int>(BasicAuth::kMostWaiting); ++other) {
        begin(10 + other, "192.0.2.1" + std::to_string(other));
    }
    while (sent_away() < 3) {
        std::this_thread::yield();
    }
    CHECK(counted.check("alice:1") == Verdict::granted);
    CHECK(counted.checks == 2);
    counted.release();
    int busy = 0, denied = 0;
    for (auto& one : waiting) {
        const Verdict verdict = one.get();
        busy += verdict == Verdict::busy ? 1 : 0;
        denied += verdict == Verdict::denied ? 1 : 0;
    }
    CHECK(denied == static_cast<int>(BasicAuth::kMostWaiting));
    CHECK(busy == 3);
    CHECK(counted.check("alice:wrong again") == Verdict::denied);  // everybody has left
}

TEST_CASE("Nobody begins a check once the server stops") {
    Counted counted(BasicAuth::Users{{"alice", "1"}});
    counted.stop = true;
    CHECK(counted.check("alice:1") == Verdict::busy);
    CHECK(counted.checks == 0);
}

TEST_CASE("Passwords are checked by libcrypt, whatever kind of bcrypt made the hash") {
    const std::atomic<bool> stop{false};
    for (const std::string kind : {"$2a$", "$2b$", "$2y$"}) {
        const auto auth =
            BasicAuth::create({{"alice", kind + "05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}});
        REQUIRE(auth);
        CHECK((*auth)->check(basic("alice:U*U"), "a", stop) == Verdict::granted);
        CHECK((*auth)->check(basic("alice:U*U*"), "a", stop) == Verdict::denied);
        CHECK((*auth)->check(basic("alice:"), "a", stop) == Verdict::denied);
    }
}

}  // namespace plimsoll
