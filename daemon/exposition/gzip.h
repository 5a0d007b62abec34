// SPDX-License-Identifier: Apache-2.0
// gzip for whole pages, at the cheapest level there is. One object per thread or
// page buffer: it keeps its tables, and is not shared.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct libdeflate_compressor;

namespace plimsoll {

class GzipEncoder {
  public:
    /// Throws std::bad_alloc like the containers do.
    GzipEncoder();

    /// Replaces `out` by the gzip stream of `text`.
    void encode(std::string_view text, std::string& out);

  private:
    struct Free {
        void operator()(libdeflate_compressor* compressor) const;
    };
    std::unique_ptr<libdeflate_compressor, Free> compressor_;
};

}  // namespace plimsoll
