// SPDX-License-Identifier: Apache-2.0
#include "exposition/connection_guard.h"

#include <pthread.h>

#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "kernel/privileges.h"

namespace plimsoll {
namespace {

// While it is crowded, or closing, the guard looks again this often: a flood of connections cannot keep it
// busier.
constexpr std::chrono::milliseconds kBusyPause{10};

}  // namespace

ConnectionGuard::ConnectionGuard(const ConnectionLimits& limits)
    : limits_(limits), thread_([this] {
          give_up_privileges();
          run();
      }) {
    pthread_setname_np(thread_.native_handle(), "http-guard");
}

ConnectionGuard::~ConnectionGuard() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void ConnectionGuard::watch(std::vector<std::uint16_t> ports) {
    const std::lock_guard lock(mutex_);
    ports_ = std::move(ports);
}

void ConnectionGuard::arrived(const void* connection) {
    {
        const std::lock_guard lock(mutex_);
        if (!here_.insert(connection).second) {
            return;
        }
        hurry_ = hurry_ || closing_;
        if (!hurry_ && here_.size() != 1 && here_.size() != limits_.crowd + 1) {
            return;  // the guard is awake already
        }
    }
    changed_.notify_all();
}

void ConnectionGuard::responding(const void* connection, Peer peer) {
    const std::lock_guard lock(mutex_);
    responses_[connection] = {.peer = std::move(peer), .since = Clock::now()};
}

void ConnectionGuard::holds(const void* connection, const void* page, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Response& mine = responses_[connection];
    mine.page = page;
    mine.bytes = bytes;
    std::vector<Response*> others;
    for (auto& [key, response] : responses_) {
        if (response.page != nullptr && response.page != page && !response.condemned) {
            others.push_back(&response);
        }
    }
    std::ranges::sort(others, {}, &Response::since);
    for (Response* oldest : others) {
        if (page_bytes() <= limits_.page_bytes) {
            return;
        }
        oldest->condemned = true;
        hurry_ = true;
        changed_.notify_all();
    }
}

std::size_t ConnectionGuard::page_bytes() const {
    std::map<const void*, std::size_t> pages;
    for (const auto& [key, response] : responses_) {
        if (!response.condemned) {
            pages[response.page] = response.bytes;
        }
    }
    std::size_t total = 0;
    for (const auto& [page, bytes] : pages) {
        total += bytes;
    }
    return total;
}

void ConnectionGuard::leaving(const void* connection) {
    const std::lock_guard lock(mutex_);
    responses_.erase(connection);
    here_.erase(connection);
}

void ConnectionGuard::close_all() {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    // Listening sockets first: a connection accepted after that would be found by nobody.
    for (const OwnSocket& socket : find_own_sockets(ports_)) {
        if (socket.listening) {
            abort_socket(socket.fd);
        }
    }
    abort_all();
}

std::size_t ConnectionGuard::open() const {
    const std::lock_guard lock(mutex_);
    return here_.size();
}

void ConnectionGuard::run() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        changed_.wait(lock, [&] { return stop_ || !here_.empty(); });
        if (crowded() || closing_) {  // really wait: workers need the mutex to leave
            changed_.wait_for(lock, kBusyPause, [&] { return stop_; });
        } else {
            changed_.wait_for(lock, limits_.tick, [&] { return stop_ || hurry_ || crowded(); });
        }
        hurry_ = false;
        if (here_.empty()) {
            seen_.clear();
            continue;
        }
        try {
            closing_ ? abort_all() : enforce(Clock::now());
        } catch (const std::bad_alloc&) {
            seen_.clear();  // the next round starts afresh
        }
    }
}

void ConnectionGuard::enforce(Clock::time_point now) {
    std::map<std::uint64_t, Seen> still_there;
    std::vector<Candidate> candidates;
    const auto sockets = find_own_sockets(ports_);
    for (const OwnSocket& socket : sockets) {
        const auto known = seen_.find(socket.cookie);
        still_there[socket.cookie] = known == seen_.end() ? Seen{.since = now} : known->second;
    }
    seen_.swap(still_there);
    for (const OwnSocket& socket : sockets) {
        if (!socket.listening) {
            judge(socket, now, candidates);
        }
    }
    thin_out(candidates);
}

void ConnectionGuard::judge(const OwnSocket& socket, Clock::time_point now,
                            std::vector<Candidate>& candidates) {
    Seen& seen = seen_[socket.cookie];
    if (seen.aborted) {
        return;
    }
    const Response* response = response_of(socket);
    const Clock::duration age = now - (response != nullptr ? response->since : seen.since);
    if (age > (response != nullptr ? limits_.response : limits_.request) ||
        (response != nullptr && response->condemned)) {
        seen.aborted = true;
        abort_socket(socket.fd);
    } else if (response != nullptr) {
        candidates.push_back({socket.fd, &seen, age - limits_.response_patience});
    } else if (!socket.unread) {  // unread bytes: it waits for a worker, not the worker for it
        candidates.push_back({socket.fd, &seen, age - limits_.request_patience});
    }
}

void ConnectionGuard::thin_out(std::vector<Candidate>& candidates) {
    const auto aborted = std::ranges::count_if(seen_, [](const auto& entry) { return entry.second.aborted; });
    std::size_t remaining = here_.size() - std::min(here_.size(), static_cast<std::size_t>(aborted));
    std::ranges::sort(candidates, std::greater{}, &Candidate::overdue);
    for (const Candidate& candidate : candidates) {
        if (remaining <= limits_.crowd || candidate.overdue <= Clock::duration::zero()) {
            return;
        }
        candidate.seen->aborted = true;
        abort_socket(candidate.fd);
        --remaining;
    }
}

void ConnectionGuard::abort_all() {
    for (const OwnSocket& socket : find_own_sockets(ports_)) {
        if (!socket.listening) {
            abort_socket(socket.fd);
        }
    }
}

const ConnectionGuard::Response* ConnectionGuard::response_of(const OwnSocket& socket) const {
    for (const auto& [key, response] : responses_) {
        if (response.peer.port == socket.peer_port && response.peer.local_port == socket.local_port &&
            response.peer.address == socket.peer) {
            return &response;
        }
    }
    return nullptr;
}

}  // namespace plimsoll
