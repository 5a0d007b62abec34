// SPDX-License-Identifier: Apache-2.0
// A directory that lives as long as one test, for fixtures that imitate runtimes' files.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace plimsoll::container_test {

class Directory {
  public:
    Directory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "plimsoll-containers-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
        path_ = pattern;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::string path(std::string_view below = "") const {
        return below.empty() ? path_ : path_ + "/" + std::string(below);
    }
    void write(std::string_view below, std::string_view text) const {
        const auto file = path(below);
        std::filesystem::create_directories(std::filesystem::path(file).parent_path());
        std::ofstream(file, std::ios::binary) << text;
    }

  private:
    std::string path_;
};

/// Ids as runtimes make them: 64 hexadecimal digits.
inline std::string id_of(char digit) {
    return std::string(64, digit);
}

}  // namespace plimsoll::container_test
