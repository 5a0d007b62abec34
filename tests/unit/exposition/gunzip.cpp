// SPDX-License-Identifier: Apache-2.0
#include "gunzip.h"

#include <libdeflate.h>

#include <catch2/catch.hpp>

namespace plimsoll::testing {

std::string gunzip(std::string_view compressed, std::size_t limit) {
    std::string out(limit, '\0');
    libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
    std::size_t read = 0, written = 0;
    const auto result = libdeflate_gzip_decompress_ex(decompressor, compressed.data(), compressed.size(),
                                                      out.data(), out.size(), &read, &written);
    libdeflate_free_decompressor(decompressor);
    REQUIRE(result == LIBDEFLATE_SUCCESS);
    REQUIRE(read == compressed.size());
    out.resize(written);
    return out;
}

}  // namespace plimsoll::testing
