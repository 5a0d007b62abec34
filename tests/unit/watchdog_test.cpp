// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <string>

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

/// The service manager's end: its socket, and what it tells a service in the environment.
class Manager {
  public:
    Manager(const std::string& timeout_us, const std::string& pid)
        : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        // Binding without a name makes the kernel choose an abstract one.
        REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) == 0);
        socklen_t size = sizeof(address);
        REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        const std::string name(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
        setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
        setenv("WATCHDOG_USEC", timeout_us.c_str(), 1);
        setenv("WATCHDOG_PID", pid.c_str(), 1);
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    ~Manager() {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
            unsetenv(name);
        }
    }

    [[nodiscard]] int fd() const { return socket_.get(); }
    /// The next message, empty if there is none.
    [[nodiscard]] std::string message() const {
        std::string text(256, '\0');
        const ssize_t size = recv(socket_.get(), text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }

  private:
    UniqueFd socket_;
};

TEST_CASE("the period leaves room for a late report") {
    CHECK(watchdog_period(30s) <= 15s);
    CHECK(watchdog_period(30s) > 0s);
    CHECK(watchdog_period(1us) > 0ns);
}

TEST_CASE("a turning loop feeds the watchdog, a loop that stands still does not") {
    const Manager manager("40000", std::to_string(getpid()));
    auto loop = EventLoop::create();
    REQUIRE(loop);
    REQUIRE(feed_watchdog(*loop));
    usleep(60'000);
    CHECK(manager.message().empty());  // nothing but the loop reports

    int reports = 0;
    REQUIRE(loop->watch(manager.fd(), [&] {
        CHECK(manager.message() == "WATCHDOG=1");
        if (++reports == 3) {
            loop->stop();
        }
    }));
    REQUIRE(loop->run());
    CHECK(reports == 3);
}

TEST_CASE("a watchdog that is another process's business is left alone") {
    const Manager manager("1000", std::to_string(getppid()));
    auto loop = EventLoop::create();
    REQUIRE(loop);
    REQUIRE(feed_watchdog(*loop));
    REQUIRE(loop->every(50ms, [&] { loop->stop(); }));
    REQUIRE(loop->run());
    CHECK(manager.message().empty());
}

TEST_CASE("a watchdog that cannot be understood is an error, not silence") {
    const Manager manager("soon", std::to_string(getpid()));
    auto loop = EventLoop::create();
    REQUIRE(loop);
    const auto fed = feed_watchdog(*loop);
    REQUIRE_FALSE(fed);
    CHECK(fed.error().message.find("WATCHDOG_USEC") != std::string::npos);
}

}  // namespace
}  // namespace plimsoll
