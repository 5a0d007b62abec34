// SPDX-License-Identifier: Apache-2.0
// Keeps slow, silent and endless clients from holding the web server's few workers. civetweb bounds the
// pauses of a client, not the total, and its workers wait for as long as there is progress; the guard's own
// thread ends what is past its deadline and, when nearly all workers are taken, those who have held one for
// the longest. The web server owns it; civetweb's workers report to it, and it outlives them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exposition/own_sockets.h"

namespace plimsoll {

struct ConnectionLimits {
    using Duration = std::chrono::milliseconds;

    Duration request{5000};              ///< from the connection to the end of the request's header
    Duration response{10000};            ///< from there to the last byte of the response
    Duration tick{500};                  ///< how late a deadline may be noticed
    std::size_t workers = 48;            ///< threads of about 20 KiB each
    std::size_t crowd = 32;              ///< with more connections than this the guard stops being patient:
    Duration request_patience{50};       ///< an honest client sends its request with its connection
    Duration response_patience{250};     ///< and reads the answer as it comes
    std::size_t page_bytes = 64U << 20;  ///< of pages being sent at once; beyond it the oldest must go
};

class ConnectionGuard {
  public:
    struct Peer {
        std::string address;
        int port = 0;
        int local_port = 0;
    };

    /// Throws std::system_error when no thread can be had.
    explicit ConnectionGuard(const ConnectionLimits& limits);
    ~ConnectionGuard();
    ConnectionGuard(const ConnectionGuard&) = delete;
    ConnectionGuard& operator=(const ConnectionGuard&) = delete;

    /// The ports that the web server listens on; until then nothing can be ended.
    void watch(std::vector<std::uint16_t> ports);

    // Workers, in this order for each connection; `connection` is only a key.
    void arrived(const void* connection);  ///< again: no difference
    void responding(const void* connection, Peer peer);
    /// The response needs that page until it is over; responses may share one.
    void holds(const void* connection, const void* page, std::size_t bytes);
    void leaving(
        const void* connection);  ///< also without arriving; the socket is open, and closed after this

    /// Stops listening and ends every connection, also those that are still to come.
    void close_all();

    std::size_t open() const;  ///< connections that a worker is busy with

  private:
    using Clock = std::chrono::steady_clock;
    struct Response {
        Peer peer;
        Clock::time_point since;
        const void* page = nullptr;  ///< responses may share one
        std::size_t bytes = 0;
        bool condemned = false;
    };
    struct Seen {
        Clock::time_point since;
        bool aborted = false;
    };
    struct Candidate {
        int fd;
        Seen* seen;
        Clock::duration overdue;  ///< how long past our patience
    };

    void run();
    std::size_t page_bytes() const;
    void enforce(Clock::time_point now);
    void judge(const OwnSocket& socket, Clock::time_point now, std::vector<Candidate>& candidates);
    void thin_out(std::vector<Candidate>& candidates);
    void abort_all();
    const Response* response_of(const OwnSocket& socket) const;
    bool crowded() const { return here_.size() > limits_.crowd; }

    const ConnectionLimits limits_;
    mutable std::mutex mutex_;  ///< also keeps workers from closing a socket while it is being looked at
    std::condition_variable changed_;
    std::vector<std::uint16_t> ports_;
    std::set<const void*> here_;
    std::map<const void*, Response> responses_;
    std::map<std::uint64_t, Seen> seen_;  ///< by socket cookie
    bool hurry_ = false;                  ///< somebody was condemned
    bool closing_ = false;
    bool stop_ = false;
    std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace plimsoll
