// SPDX-License-Identifier: Apache-2.0
#include "core/idle_accounts.h"

#include <catch2/catch.hpp>

#include <string>

namespace plimsoll {
namespace {

using Idle = IdleAccounts<std::string, std::uint64_t>;

TEST_CASE("an account is idle when it has been the same for long enough") {
    Idle idle(300);
    idle.begin(1000);
    CHECK_FALSE(idle.is_idle(2, "a", 7));
    idle.begin(1299);
    CHECK_FALSE(idle.is_idle(2, "a", 7));
    idle.begin(1300);
    CHECK(idle.is_idle(2, "a", 7));
    CHECK_FALSE(idle.is_idle(2, "b", 7));
    CHECK_FALSE(idle.is_idle(3, "a", 7));
}

TEST_CASE("whatever happens in an account, its time begins anew") {
    Idle idle(300);
    idle.begin(1000);
    CHECK_FALSE(idle.is_idle(2, "a", 7));
    idle.begin(1200);
    CHECK_FALSE(idle.is_idle(2, "a", 8));
    idle.begin(1499);
    CHECK_FALSE(idle.is_idle(2, "a", 8));
    idle.begin(1500);
    CHECK(idle.is_idle(2, "a", 8));
}

TEST_CASE("an account that was gone meanwhile is a new one") {
    Idle idle(300);
    idle.begin(1000);
    CHECK_FALSE(idle.is_idle(2, "a", 7));
    idle.begin(1100);
    idle.begin(1300);
    CHECK_FALSE(idle.is_idle(2, "a", 7));
}

}  // namespace
}  // namespace plimsoll
