// SPDX-License-Identifier: Apache-2.0
// The part of probe ledger that tells how long single waits took. Owned by the probe.
#pragma once

#include <cstdint>
#include <span>

#include "core/error.h"
#include "core/ledger.h"
#include "core/slot_sums.h"
#include "exposition/sample_writer.h"
#include "kernel/mapped_array.h"
#include "shared/ledger.h"

struct bpf_map;

namespace plimsoll {

/// A container in a sample of the ledger.
struct LedgerRow {
    std::uint32_t container;
    LedgerValues values;
    ledger_account sums;
    Handle handle;
    std::span<const std::uint32_t> slots;
    bool ended;
};

class LedgerWaits {
  public:
    /// How many accounts a slot has: CPUs share them.
    static std::uint32_t shards(std::uint32_t cpus);

    /// A map of the probe's loaded object, which outlives this, of so many accounts for each slot.
    Result<void> open(const bpf_map* accounts, std::uint32_t shards);
    void sample(std::span<const LedgerRow> rows, SampleWriter& writer);
    void fold(std::uint32_t slot, Handle heir) { sums_.fold(slot, heir); }
    void forget(Handle container) { sums_.forget(container); }

  private:
    [[nodiscard]] wait_account read_slot(std::uint32_t slot) const;

    MappedArray<wait_account> accounts_;
    std::uint32_t shards_ = 1;
    SlotSums<wait_account> sums_{[this](std::uint32_t slot) { return read_slot(slot); }};
};

}  // namespace plimsoll
