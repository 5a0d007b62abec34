// SPDX-License-Identifier: Apache-2.0
// Files, pipes and connections to read from and write to. They throw when there are none to be had.
#pragma once

#include <cstddef>

#include "loop/unique_fd.h"

namespace plimsoll::bpf_test {

/// A file without a name with as many bytes.
UniqueFd make_file(std::size_t size);

struct Pair {
    UniqueFd first, second;
};
/// Read end, write end.
Pair make_pipe_ends(int flags = 0);
Pair make_unix_pair(int type);
/// Two connected TCP sockets of 127.0.0.1.
Pair make_tcp_pair();

}  // namespace plimsoll::bpf_test
