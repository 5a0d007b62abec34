// SPDX-License-Identifier: Apache-2.0
// Reading small files of the kernel whole, without allocation once the buffer has grown.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "loop/unique_fd.h"

namespace plimsoll {

/// A buffer that one thread reads many files with, one after another.
class FileReader {
  public:
    /// The file's text from its beginning, until the next call; nothing when it cannot be read (gone, or this
    /// kernel has none).
    std::optional<std::string_view> read(int fd);
    /// Opens, reads, closes. `path`: relative to the directory `directory_fd`, or absolute.
    std::optional<std::string_view> read_at(int directory_fd, const char* path);

  private:
    std::string buffer_ = std::string(16384, '\0');
};

/// A directory to name files in; invalid when it does not exist.
UniqueFd open_directory(const std::string& path);

}  // namespace plimsoll
