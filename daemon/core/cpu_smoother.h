// SPDX-License-Identifier: Apache-2.0
// The smoothing's tick over all containers: reads the accounts of those that did something, and of the others
// only the marks that say so. No kernel and no clock of its own; used by the loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/ledger.h"
#include "core/slot_sums.h"
#include "core/smoothing.h"
#include "shared/ledger.h"

namespace plimsoll {

class CpuSmoother {
  public:
    struct Source {
        /// A slot's accounts, of all CPUs and the shared one.
        std::function<std::span<const ledger_account>(std::uint32_t slot)> accounts;
        /// The ledger's time now; asked only when a container has to be read.
        std::function<std::uint64_t()> now_ns;
    };
    CpuSmoother(std::vector<std::uint64_t> windows_ns, Source source)
        : windows_ns_(std::move(windows_ns)), source_(std::move(source)) {}
    CpuSmoother(const CpuSmoother&) = delete;
    CpuSmoother& operator=(const CpuSmoother&) = delete;
    ~CpuSmoother() = default;

    /// One container's part of a tick. `since_ns`: its birth in the ledger's time; one that is older than the
    /// last tick counts from now on, a younger one from its birth.
    void look(Handle container, std::span<const std::uint32_t> slots, std::uint64_t since_ns);
    /// All containers have been looked at. `now_ns`: the ledger's time from before the first one.
    void ticked(std::uint64_t now_ns) { ticked_ns_ = now_ns; }

    /// As of the last tick; null as long as there is nothing to tell.
    const CpuSmoothing* find(Handle container);

    void fold(std::uint32_t slot, Handle heir);
    void forget(Handle container);

  private:
    struct Watch {
        CpuSmoothing smoothing;
        std::uint64_t writes = 0;  // count_writes() of its slots before they were last read
        bool quiet = false;        // and then no thread ran or wanted to: without writes nothing is spent
        bool unread = true;        // has to be read, whatever the marks say
    };

    struct Reading {
        std::uint64_t now_ns = 0;
        CpuAccount sums;
    };
    static constexpr std::uint64_t kTogetherNs = 100'000;  // a thousandth of the usual tick
    static constexpr int kAttempts = 4;

    [[nodiscard]] Reading read(Handle container, std::span<const std::uint32_t> slots) const;
    [[nodiscard]] std::uint64_t count_writes(std::span<const std::uint32_t> slots) const;
    Watch* watch(Handle container, std::span<const std::uint32_t> slots, std::uint64_t since_ns);

    std::vector<std::uint64_t> windows_ns_;
    Source source_;
    SlotSums<CpuAccount> sums_{
        [this](std::uint32_t slot) { return read_slot<CpuAccount>(source_.accounts(slot)); }};
    std::unordered_map<Handle, Watch> watches_;
    std::optional<std::uint64_t> ticked_ns_;
};

}  // namespace plimsoll
