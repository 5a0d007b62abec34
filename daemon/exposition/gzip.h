// SPDX-License-Identifier: Apache-2.0
// gzip for pages, piece by piece while they are rendered, at the cheapest level that still finds what repeats
// itself. One object per thread or page buffer: it keeps its tables, and is not shared.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace plimsoll {

class GzipEncoder {
  public:
    /// Throws std::bad_alloc like the containers do.
    GzipEncoder();
    ~GzipEncoder();

    /// Starts a new stream, which replaces what is in `out`. `out` must live until finish().
    void start(std::string& out);
    void append(std::string_view text);
    void finish();

  private:
    struct State;
    void run(std::string_view text, bool last);

    std::unique_ptr<State> state_;
    std::string* out_ = nullptr;
    std::size_t used_ = 0;
};

}  // namespace plimsoll
