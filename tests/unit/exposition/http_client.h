// SPDX-License-Identifier: Apache-2.0
// A client over real sockets that can be polite, silent or slow.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "loop/unique_fd.h"

namespace plimsoll::testing {

using namespace std::chrono_literals;

struct Reply {
    int status = 0;                              ///< 0: closed without an answer, or no answer in time
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
    std::chrono::milliseconds took{};
};

class HttpClient {
  public:
    /// Connects to 127.0.0.1. A small receive buffer makes a slow reader feel slow to the server.
    explicit HttpClient(std::uint16_t port, int receive_buffer = 0);

    /// False when the server has hung up.
    bool send(std::string_view bytes) const;

    /// Up to `size` bytes within `timeout`; empty when none came or the server has hung up.
    std::string read_some(std::size_t size, std::chrono::milliseconds timeout) const;

    /// Everything until the server hangs up or `timeout` has passed.
    std::string read_all(std::chrono::milliseconds timeout) const;

    /// True when the server has hung up within `timeout`; reads and forgets what still comes.
    bool is_closed_within(std::chrono::milliseconds timeout) const;

  private:
    UniqueFd fd_;
};

Reply parse_reply(const std::string& raw);

/// Sends one whole request on a connection of its own and waits for the answer; `headers` with line ends.
Reply request(std::uint16_t port, std::string_view method, std::string_view path,
              std::string_view headers = "", std::chrono::milliseconds timeout = 10s);

inline Reply get(std::uint16_t port, std::string_view path, std::string_view headers = "") {
    return request(port, "GET", path, headers);
}

}  // namespace plimsoll::testing
