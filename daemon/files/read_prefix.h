// SPDX-License-Identifier: Apache-2.0
// Reading files whose size a container decides: never more than a limit. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace plimsoll {

/// The first `limit` bytes of the file, less when it ends before; nothing when it cannot be read. `path`:
/// relative to the directory `directory_fd`, or absolute.
std::optional<std::string> read_prefix(int directory_fd, const char* path, std::size_t limit);

}  // namespace plimsoll
