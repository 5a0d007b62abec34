// SPDX-License-Identifier: Apache-2.0
#include "core/peer_shares.h"

#include <algorithm>
#include <ranges>

namespace plimsoll {

namespace {

template <typename Operation>
void each_value(PeerValues& target, const PeerValues& other, Operation operation) {
    operation(target.wait_ns, other.wait_ns);
    operation(target.bytes[0], other.bytes[0]);
    operation(target.bytes[1], other.bytes[1]);
    operation(target.connections, other.connections);
    operation(target.errors, other.errors);
}

/// Waiting and traffic in one number: a byte weighs as much as the time it takes at 100 MB/s.
std::uint64_t weight(const PeerValues& values) {
    constexpr std::uint64_t kNsPerByte = 10;
    return values.wait_ns + kNsPerByte * (values.bytes[0] + values.bytes[1]) + values.connections +
           values.errors;
}

}  // namespace

PeerValues& PeerValues::operator+=(const PeerValues& more) {
    each_value(*this, more, [](std::uint64_t& to, std::uint64_t from) { to += from; });
    return *this;
}

PeerValues PeerValues::growth(const PeerValues& later) const {
    PeerValues result = later;
    each_value(result, *this, [](std::uint64_t& to, std::uint64_t from) { to -= std::min(to, from); });
    return result;
}

void PeerShares::update(std::span<const Reading> readings, const PeerValues& rest) {
    for (auto& [label, share] : shares_) {
        share.present = false;
    }
    for (const Reading& reading : readings) {
        PeerValues& seen = seen_[reading.account];
        const PeerValues growth = seen.growth(reading.values);
        seen += growth;
        Share& share = shares_[reading.label];
        share.total += growth;
        share.present = true;
    }
    rest_ += rest_.growth(rest);
    for (auto share = shares_.begin(); share != shares_.end();) {
        const bool gone = !share->second.present && !share->second.shown;
        if (gone) {
            former_ += share->second.total;
        }
        share = gone ? shares_.erase(share) : std::next(share);
    }
}

void PeerShares::close(std::string_view account, const PeerValues& left) {
    const auto found = seen_.find(account);
    if (found != seen_.end() && left.any()) {
        found->second = left;
    } else if (found != seen_.end()) {
        seen_.erase(found);
    }
}

void PeerShares::choose(std::size_t most) {
    std::vector<Share*> shown, hidden;
    for (auto& [label, share] : shares_) {
        (share.shown ? shown : hidden).push_back(&share);
    }
    const auto lighter = [](const Share* a, const Share* b) { return weight(a->total) < weight(b->total); };
    std::ranges::sort(shown, lighter);
    std::ranges::sort(hidden, lighter);
    std::size_t places = most - std::min(most, shown.size());
    auto lightest = shown.begin();
    for (auto* candidate : std::views::reverse(hidden)) {
        if (places > 0) {
            places--;
        } else if (lightest != shown.end() && weight(candidate->total) / 2 > weight((*lightest)->total)) {
            (*lightest++)->shown = false;
        } else {
            break;
        }
        candidate->shown = true;
    }
}

std::vector<PeerShares::Shown> PeerShares::show(std::size_t most) {
    choose(most);
    std::vector<Shown> result;
    for (auto& [label, share] : shares_) {
        if (share.shown) {
            result.push_back({label, share.told_as_other.growth(share.total)});
        } else {
            share.told_as_other = share.total;
        }
    }
    return result;
}

PeerValues PeerShares::other() const {
    PeerValues sum = rest_;
    sum += former_;
    for (const auto& [label, share] : shares_) {
        sum += share.told_as_other;
    }
    return sum;
}

}  // namespace plimsoll
