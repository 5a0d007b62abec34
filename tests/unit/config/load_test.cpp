// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "plimsoll-config-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

    std::string operator/(const std::string& name) const { return path_ / name; }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
        return path_ / name;
    }

  private:
    std::filesystem::path path_;
};

ConfigErrors errors_of_file(const std::string& path) {
    const auto config = load_config(path);
    REQUIRE_FALSE(config.has_value());
    return config.error();
}

TEST_CASE("a file is read, also through a symbolic link, and named in its errors") {
    const TemporaryDirectory directory;
    const auto good = directory.write("good.yaml", "containers: {max: 7}\n");
    std::filesystem::create_symlink("good.yaml", directory / "link.yaml");
    for (const auto& path : {good, directory / "link.yaml"}) {
        const auto config = load_config(path);
        REQUIRE(config.has_value());
        CHECK(config->containers.max == 7);
    }
    const auto bad = directory.write("bad.yaml", "\ncontainers: {max: 0, linger: 5}\n");
    CHECK(errors_of_file(bad) ==
          ConfigErrors{
              bad + ":2:19: containers.max: \"0\"; allowed: a whole number from 1 to 65536",
              bad + ":2:30: containers.linger: \"5\"; allowed: 0s to 24h, as a whole number with unit ms, "
                    "s, m or h"});
    CHECK(load_config(directory.write("empty.yaml", "")) == default_config());
}

TEST_CASE("what is no regular file is refused at once") {
    const TemporaryDirectory directory;
    REQUIRE(mkfifo((directory / "fifo").c_str(), 0600) == 0);
    const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (directory / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    std::filesystem::create_symlink("/dev/zero", directory / "zero");

    const auto check = [](const std::string& path, const std::string& kind) {
        CHECK(errors_of_file(path) == ConfigErrors{path + ": is " + kind + "; allowed: a regular file"});
    };
    check(directory / "", "a directory");
    check(directory / "fifo", "a FIFO");
    check(directory / "socket", "a socket");
    check("/dev/zero", "a device");
    check(directory / "zero", "a device");
}

TEST_CASE("a file that is missing, a circle of links or too large is one sentence") {
    const TemporaryDirectory directory;
    CHECK(errors_of_file(directory / "none") ==
          ConfigErrors{(directory / "none") + ": cannot be read: No such file or directory"});
    CHECK(errors_of_file("") == ConfigErrors{": cannot be read: No such file or directory"});
    std::filesystem::create_symlink("loop", directory / "loop");
    CHECK(errors_of_file(directory / "loop") ==
          ConfigErrors{(directory / "loop") + ": cannot be read: Too many levels of symbolic links"});
    const auto large = directory.write("large", std::string(65537, '\n'));
    CHECK(errors_of_file(large) == ConfigErrors{large + ": is larger than 64 KiB"});
    CHECK(load_config(directory.write("largest", std::string(65536, '\n'))) == default_config());
    std::filesystem::resize_file(large, std::uintmax_t{1} << 40);  // sparse: its size must never be allocated
    CHECK(errors_of_file(large) == ConfigErrors{large + ": is larger than 64 KiB"});
}

TEST_CASE("a file that claims to be empty is read no further than the limit") {
    // Files in /proc have size 0; this one has a line per symbol, many times the limit, or NULs of the
    // arguments.
    CHECK(errors_of_file("/proc/self/cmdline").size() == 1);
    if (std::filesystem::exists("/proc/kallsyms"))
        CHECK(errors_of_file("/proc/kallsyms") ==
              ConfigErrors{"/proc/kallsyms:1:1: the file is larger than 64 KiB"});
}

}  // namespace
}  // namespace plimsoll
