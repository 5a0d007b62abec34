// SPDX-License-Identifier: Apache-2.0
#include "kernel/peer_table.h"

#include <atomic>
#include <utility>

#include "core/clock.h"
#include "kernel/keyed_map.h"

namespace plimsoll {

namespace {

// A program that has looked an account up is done with it within microseconds, unless its virtual CPU is
// taken away.
constexpr std::uint64_t kCoolingNs = 1'000'000'000;

template <typename Word>
Word load(const Word& live, std::memory_order order = std::memory_order_acquire) {
    return std::atomic_ref<Word>(const_cast<Word&>(live)).load(order);
}

bool has_name(const peer_key& key) {
    return key.kind == PEER_UNIX || key.kind == PEER_FIFO;
}

}  // namespace

Result<PeerTable> PeerTable::open(const Scope& scope) {
    PeerTable table;
    const auto fd = [&](std::string_view map) { return scope.maps().find(map)->second; };
    table.peers_ = fd("peers");
    table.names_ = fd("peer_names");
    table.free_ = fd("free_peers");
    table.tenures_ = fd("tenures");
    table.slots_ = scope.slot_count();
    auto accounts =
        MappedArray<peer_account>::map(fd("peer_accounts"), 2 * std::size_t{table.slots_} + PEERS_MAX, true);
    if (!accounts) {
        return std::unexpected(accounts.error());
    }
    table.accounts_ = std::move(*accounts);
    return table;
}

/// When somebody keeps writing, a copy says nothing of waits: n without its sum would be off by the time
/// since boot, while a sum that is too low for once is made up for by the next.
peer_sums PeerTable::sums(std::uint32_t index) const {
    const peer_account& live = accounts_[index];
    peer_sums copy{};
    bool whole = false;
    for (int attempt = 0; attempt < 1000 && !whole; attempt++) {
        const __u32 ended = load(live.ended);
        copy = {.n = load(live.sums.n),
                .sum_ns = load(live.sums.sum_ns),
                .bytes = {load(live.sums.bytes[0]), load(live.sums.bytes[1])},
                .connections = load(live.sums.connections),
                .errors = load(live.sums.errors)};
        whole = load(live.begun, std::memory_order_relaxed) == ended;
    }
    if (!whole) {
        copy.n = copy.sum_ns = 0;
    }
    return copy;
}

peer_sums PeerTable::rest(std::uint32_t slot) const {
    return sums(slot);
}

peer_sums PeerTable::nobody(std::uint32_t slot) const {
    return sums(slots_ + slot);
}

std::optional<std::uint32_t> PeerTable::index_of(const peer_owner& owner) const {
    return look_up<std::uint32_t>(peers_, owner);
}

std::optional<peer_name> PeerTable::name(const peer_key& key) const {
    if (!has_name(key)) {
        return peer_name{};
    }
    const auto found = known_names_.find(key);
    return found == known_names_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<PeerTable::Entry> PeerTable::read() {
    settle();
    std::vector<Entry> entries;
    auto names = std::exchange(known_names_, {});
    each_entry<peer_owner, std::uint32_t>(peers_, [&](const peer_owner& owner, std::uint32_t index) {
        entries.push_back({owner.owner, owner.key, sums(index)});
        if (!has_name(owner.key) || known_names_.contains(owner.key)) {
            return;
        }
        if (auto known = names.extract(owner.key)) {
            known_names_.insert(std::move(known));
        } else if (const auto name = look_up<peer_name>(names_, index - 2 * slots_)) {
            known_names_.emplace(owner.key, *name);
        }
    });
    return entries;
}

std::optional<peer_sums> PeerTable::take(const tenure& owner, const peer_key& key) {
    const peer_owner record{owner, key};
    const auto index = index_of(record);
    if (!index) {
        return std::nullopt;
    }
    give_back(record, *index);
    return sums(*index);
}

void PeerTable::announce(const tenure& owner) {
    bpf_map_update_elem(tenures_, &owner.slot, &owner.number, BPF_ANY);
}

/// Not found any more, and whoever has kept the index sees another generation.
void PeerTable::give_back(const peer_owner& owner, std::uint32_t index) {
    if (bpf_map_delete_elem(peers_, &owner) != 0) {
        return;
    }
    std::atomic_ref(accounts_.writable(index).generation).fetch_add(1);
    std::atomic_ref(accounts_.writable(owner.owner.slot).generation).fetch_sub(1);
    cooling_.push_back({index, boot_time_ns()});
}

/// What was given back a while ago is used by nobody now, unless a thread waits there that has not been seen
/// to leave.
void PeerTable::settle() {
    const std::uint64_t now = boot_time_ns();
    std::erase_if(cooling_, [&](const Cooling& cooling) {
        const std::uint32_t index = cooling.index;
        peer_account& account = accounts_.writable(index);
        if (now - cooling.since_ns < kCoolingNs || load(account.sums.n) != 0) {
            return false;
        }
        account.sums = {};
        // Who found it right before it was taken away may have noted the generation of after that.
        std::atomic_ref(account.generation).fetch_add(1);
        return bpf_map_update_elem(free_, nullptr, &index, BPF_ANY) == 0;
    });
}

}  // namespace plimsoll
