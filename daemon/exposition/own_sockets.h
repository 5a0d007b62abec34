// SPDX-License-Identifier: Apache-2.0
// The process's own sockets, looked up among its descriptors: the only way to reach a connection that
// civetweb holds, since its interface never shows one. Stateless; who calls it sees to it that none is closed
// meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plimsoll {

struct OwnSocket {
    int fd = -1;
    bool listening = false;
    std::uint16_t local_port = 0;
    std::uint64_t cookie = 0;  ///< the kernel's number of the socket, never used twice
    bool unread = false;       ///< bytes have arrived that nobody has read yet
    std::string peer;          ///< numeric address; empty when listening or no longer connected
    std::uint16_t peer_port = 0;
};

/// The TCP sockets of this process that are bound to one of `local_ports`. A few microseconds per descriptor.
std::vector<OwnSocket> find_own_sockets(std::span<const std::uint16_t> local_ports);

/// Wakes whoever reads or writes the socket with an error, and lets the kernel forget its unsent data when it
/// is closed. The descriptor itself stays with its owner.
void abort_socket(int fd);

}  // namespace plimsoll
