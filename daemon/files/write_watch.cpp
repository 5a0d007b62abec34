// SPDX-License-Identifier: Apache-2.0
#include "files/write_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace plimsoll {
namespace {

constexpr std::uint32_t kWritten = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR;

}  // namespace

WriteWatch::WriteWatch() {
    told_->inotify = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

/// The kernel gives a directory that is watched already the watch that it has; whoever ends first ends both.
WriteWatch::Place WriteWatch::add(const char* directory) {
    if (refused_ || !told_->inotify) {
        return {};
    }
    const int id = inotify_add_watch(told_->inotify.get(), directory, kWritten);
    if (id < 0) {
        refused_ = errno == ENOSPC || errno == ENOMEM;
        return {};
    }
    told_->writes[id] = ++told_->count;
    return {told_, id};
}

void WriteWatch::collect() {
    alignas(inotify_event) std::array<char, 16384> buffer;
    auto& writes = told_->writes;
    refused_ = false;
    for (;;) {
        const ssize_t got = told_->inotify ? read(told_->inotify.get(), buffer.data(), buffer.size()) : -1;
        if (got <= 0) {
            return;
        }
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            at += sizeof event + event.len;
            const auto found = writes.find(event.wd);
            ++told_->count;
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                for (auto& [id, last] : writes) {
                    last = told_->count;
                }
            } else if (found != writes.end() && (event.mask & IN_IGNORED) != 0) {
                writes.erase(found);
            } else if (found != writes.end()) {
                found->second = told_->count;
            }
        }
    }
}

void WriteWatch::Place::reset() {
    if (told_ != nullptr && told_->writes.erase(id_) != 0) {
        inotify_rm_watch(told_->inotify.get(), id_);
    }
    told_ = nullptr;
}

std::optional<std::uint64_t> WriteWatch::Place::writes() const {
    if (told_ == nullptr) {
        return std::nullopt;
    }
    const auto found = told_->writes.find(id_);
    return found == told_->writes.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace plimsoll
