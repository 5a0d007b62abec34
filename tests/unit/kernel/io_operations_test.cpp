// SPDX-License-Identifier: Apache-2.0
// The names of io_uring's and AIO's operations against the kernel's own headers.
#include <linux/aio_abi.h>
#include <linux/io_uring.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cctype>
#include <fstream>
#include <string>
#include <vector>

#include "shared/io_requests.h"

namespace {

/// The name in capitals, after IORING_OP_.
std::vector<std::string> names_in_header() {
    std::ifstream header("/usr/include/linux/io_uring.h");
    std::vector<std::string> names;
    for (std::string word; header >> word;) {
        const bool last = word.starts_with("IORING_OP_LAST");
        if (word.starts_with("IORING_OP_") && !last) {
            names.push_back(word.substr(10, word.find_first_of(",;") - 10));
        }
        if (last) {
            break;
        }
    }
    return names;
}

TEST_CASE("io_uring's operations have the numbers and names of the kernel's header") {
#define PLIMSOLL_NAME(name, moves) #name,
    const std::array<std::string, IO_URING_OTHER> ours{PLIMSOLL_IO_URING_OPERATIONS(PLIMSOLL_NAME)};
#undef PLIMSOLL_NAME
    const auto theirs = names_in_header();
    REQUIRE(theirs.size() > 30);
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); i++) {
        std::string capitals = ours[i];
        std::ranges::transform(capitals, capitals.begin(), [](unsigned char c) { return std::toupper(c); });
        CHECK(capitals == theirs[i]);
    }
    CHECK(IO_URING_read == int{IORING_OP_READ});
    CHECK(IO_URING_OPERATIONS == 64);  // programs mask with it
}

TEST_CASE("AIO's operations have the numbers of the kernel's header") {
    CHECK(AIO_pread == int{IOCB_CMD_PREAD});
    CHECK(AIO_pwrite == int{IOCB_CMD_PWRITE});
    CHECK(AIO_fsync == int{IOCB_CMD_FSYNC});
    CHECK(AIO_fdsync == int{IOCB_CMD_FDSYNC});
    CHECK(AIO_poll == int{IOCB_CMD_POLL});
    CHECK(AIO_noop == int{IOCB_CMD_NOOP});
    CHECK(AIO_preadv == int{IOCB_CMD_PREADV});
    CHECK(AIO_pwritev == int{IOCB_CMD_PWRITEV});
}

}  // namespace
