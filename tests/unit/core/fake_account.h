// SPDX-License-Identifier: Apache-2.0
// The kernel's arithmetic, on one account.
#pragma once

#include "shared/ledger.h"

namespace plimsoll {

class Account {
  public:
    ledger_account value{};

    void enter(std::uint32_t cell, std::uint64_t now) {
        value.begun++;
        value.cells[cell].n += 1;
        value.cells[cell].sum_ns -= now;
        value.ended++;
    }
    void leave(std::uint32_t cell, std::uint64_t now) {
        value.begun++;
        value.cells[cell].n -= 1;
        value.cells[cell].sum_ns += now;
        value.ended++;
    }
    void birth(std::uint64_t now) {
        enter(STATE_RUNNABLE, now);
        enter(CELL_LIFETIME, now);
        value.processes++;
    }
    void change(std::uint32_t from, std::uint32_t to, std::uint64_t now) {
        leave(from, now);
        enter(to, now);
    }
    void death(std::uint32_t from, std::uint64_t now) {
        leave(from, now);
        leave(CELL_LIFETIME, now);
        value.processes--;
    }
};

}  // namespace plimsoll
