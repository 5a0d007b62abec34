// SPDX-License-Identifier: Apache-2.0
#include "probes/io_requests.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "kernel/hash_map.h"
#include "kernel/skeleton.h"

namespace plimsoll {

namespace {

struct Family {
    enum : std::uint8_t { requests, punted, seconds, submissions };
};

#define PLIMSOLL_IO_URING_FRAGMENT(name, moves) R"(operation=")" #name R"(")",
constexpr std::array<std::string_view, IO_URING_OPERATIONS> kOperations{
    PLIMSOLL_IO_URING_OPERATIONS(PLIMSOLL_IO_URING_FRAGMENT) R"(operation="other")"};

constexpr std::array<std::string_view, IO_CLASSES> kClasses{"file",    "block", "inet", "unix",
                                                            "netlink", "pipe",  "tty",  "other"};

bool uses_ring(const io_request_account& sums) {
    return std::ranges::any_of(sums.uring_requests, [](__u64 count) { return count != 0; });
}

}  // namespace

/// By operation and class.
std::vector<std::string> IoRequests::aio_fragments() {
    std::vector<std::string> fragments(std::size_t{AIO_OPERATIONS} * IO_CLASSES);
    const auto name = [&](const std::string& operation, std::size_t number) {
        for (std::size_t i = 0; i < IO_CLASSES; i++) {
            fragments[number * IO_CLASSES + i] =
                "operation=\"" + operation + "\",class=\"" + std::string(kClasses[i]) + "\"";
        }
    };
#define PLIMSOLL_AIO_NAME(operation, number) name(#operation, number);
    PLIMSOLL_AIO_OPERATIONS(PLIMSOLL_AIO_NAME)
#undef PLIMSOLL_AIO_NAME
    return fragments;
}

Result<void> IoRequests::open(const bpf_map* accounts, const bpf_map* requests) {
    requests_ = bpf_map__fd(requests);
    return map_into(accounts_, accounts);
}

void IoRequests::fold(std::uint32_t slot, Handle heir) {
    if (uses_ring(accounts_[slot])) {
        erase_from_map<__u64, io_request>(requests_,
                                          [&](const io_request& request) { return request.slot == slot; });
    }
    sums_.fold(slot, heir);
}

void IoRequests::sample(const SampleContext& context, SampleWriter& writer, bool latency) {
    rows_.clear();
    for (const auto& container : context.containers) {
        rows_.push_back({container.index, sums_.sum(container.handle, container.slots)});
    }
    write_operations(writer, Family::requests, &io_request_account::uring_requests);
    write_operations(writer, Family::punted, &io_request_account::uring_punted);
    if (latency) {
        writer.family(kIoRequestMetrics[Family::seconds]);
        for (const Row& row : rows_) {
            if (uses_ring(row.sums)) {
                const io_time& time = row.sums.uring_time;
                writer.histogram(row.container, {}, time.buckets, time.sum_ns);
            }
        }
    }
    write_submissions(writer);
    accounts_.release_unread();
}

/// An operation appears in all families when it is first submitted.
void IoRequests::write_operations(SampleWriter& writer, std::size_t family,
                                  const __u64 (io_request_account::*counts)[IO_URING_OPERATIONS]) const {
    writer.family(kIoRequestMetrics[family]);
    for (const Row& row : rows_) {
        for (std::size_t operation = 0; operation < IO_URING_OPERATIONS; operation++) {
            if (row.sums.uring_requests[operation] != 0) {
                writer.add(row.container, kOperations[operation],
                           Number::count((row.sums.*counts)[operation]));
            }
        }
    }
}

void IoRequests::write_submissions(SampleWriter& writer) const {
    writer.family(kIoRequestMetrics[Family::submissions]);
    for (const Row& row : rows_) {
        for (std::size_t operation = 0; operation < AIO_OPERATIONS; operation++) {
            for (std::size_t io_class = 0; io_class < IO_CLASSES; io_class++) {
                const __u64 count = row.sums.aio_submissions[operation][io_class];
                if (count != 0) {
                    writer.add(row.container, fragments_[operation * IO_CLASSES + io_class],
                               Number::count(count));
                }
            }
        }
    }
}

}  // namespace plimsoll
