// SPDX-License-Identifier: Apache-2.0
#include "descriptors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace plimsoll::bpf_test {

namespace {

int must(int descriptor) {
    if (descriptor < 0) {
        throw std::runtime_error("no descriptor");
    }
    return descriptor;
}

}  // namespace

UniqueFd make_file(std::size_t size) {
    UniqueFd file(must(memfd_create("plimsoll-test", 0)));
    must(ftruncate(file.get(), static_cast<off_t>(size)));
    return file;
}

Pair make_pipe_ends(int flags) {
    std::array<int, 2> ends{};
    must(pipe2(ends.data(), flags));
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pair make_unix_pair(int type) {
    std::array<int, 2> ends{};
    must(socketpair(AF_UNIX, type, 0, ends.data()));
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pair make_tcp_pair() {
    const UniqueFd listener(must(socket(AF_INET, SOCK_STREAM, 0)));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    must(bind(listener.get(), generic, size));
    must(listen(listener.get(), 1));
    must(getsockname(listener.get(), generic, &size));
    UniqueFd client(must(socket(AF_INET, SOCK_STREAM, 0)));
    must(connect(client.get(), generic, size));
    return {std::move(client), UniqueFd(must(accept(listener.get(), nullptr, nullptr)))};
}

}  // namespace plimsoll::bpf_test
