// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "await.h"

namespace plimsoll::bpf_test {

namespace {

struct Pipe {
    UniqueFd read_end, write_end;
};

Pipe make_pipe() {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

pid_t clone_into(const Cgroup& cgroup) {
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup.fd.get());
    const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (pid < 0) {
        throw std::runtime_error(std::string("clone3: ") + std::strerror(errno));
    }
    return pid;
}

}  // namespace

void Parent::tell(std::uint64_t value) const {
    if (::write(out_, &value, sizeof(value)) != sizeof(value)) {
        _exit(99);
    }
}

std::uint64_t Parent::wait() const {
    std::uint64_t value = 0;
    if (::read(in_, &value, sizeof(value)) != sizeof(value)) {
        _exit(98);
    }
    return value;
}

Child::Child(const Cgroup& cgroup, const std::function<int(const Parent&)>& body) {
    Pipe down = make_pipe(), up = make_pipe();
    pid_ = clone_into(cgroup);
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        down.write_end.reset();
        up.read_end.reset();
        try {
            _exit(body(Parent(down.read_end.get(), up.write_end.get())));
        } catch (...) {
            _exit(100);  // what unwinding would destroy is the parent's
        }
    }
    in_ = std::move(up.read_end);
    out_ = std::move(down.write_end);
}

Child::Child(const Cgroup& cgroup, const std::string& program)
    : Child(cgroup, [&](const Parent&) {
          execl(program.c_str(), program.c_str(), nullptr);
          return 97;
      }) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), in_(std::move(other.in_)), out_(std::move(other.out_)) {}

Child::~Child() {
    if (pid_ > 0) {
        kill();
        wait();
    }
}

std::uint64_t Child::hear() const {
    std::uint64_t value = 0;
    return ::read(in_.get(), &value, sizeof(value)) == sizeof(value) ? value : 0;
}

void Child::go(std::uint64_t value) const {
    if (::write(out_.get(), &value, sizeof(value)) != sizeof(value)) {
        throw std::runtime_error("the child does not listen");
    }
}

void Child::kill() const {
    ::kill(pid_, SIGKILL);
}

int Child::wait() {
    int status = -1;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
}

bool Child::sleeps(pid_t thread) const {
    const std::string task =
        "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(thread == 0 ? pid_ : thread);
    return eventually([&] {
        std::ifstream stat(task + "/stat"), call(task + "/syscall");
        std::string line, number;
        std::getline(stat, line);
        call >> number;
        const auto name_end = line.rfind(')');
        return name_end != std::string::npos && line[name_end + 2] == 'S' && number != "running";
    });
}

}  // namespace plimsoll::bpf_test
