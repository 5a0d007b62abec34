// SPDX-License-Identifier: Apache-2.0
// The rendered pages. Scrapes that share a snapshot share its page too, so that many clients cost no more
// rendering than there are samples. Buffers are used again, so that a scrape in gzip allocates nothing once
// they have grown; a page as text, ten times as large and asked for by hand, goes with its last reader. The
// web server owns it; any HTTP thread calls it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exposition/gzip.h"
#include "exposition/text.h"

namespace plimsoll {

struct Page {
    Rendered text;           ///< its body is not the page's when that is in gzip
    std::string compressed;  ///< of a page in gzip
    bool gzip = false;

    std::string_view body() const { return gzip ? compressed : text.body; }
    std::size_t memory() const { return text.body.capacity() + compressed.capacity(); }
};

class Pages {
  public:
    Pages() { idle_.reserve(kKept); }

    /// The page of that snapshot, rendered by the first who asks while the others wait. It keeps its memory
    /// until the last reader lets go, and must do so before Pages ends.
    std::shared_ptr<const Page> page(const std::shared_ptr<const Snapshot>& snapshot, TextFormat format,
                                     bool gzip);

  private:
    struct Slot {
        std::mutex mutex;
        bool finished = false;
        Page page;
        std::optional<GzipEncoder> encoder;  ///< of packed pages
    };
    using Slots = std::array<std::weak_ptr<Slot>, 4>;  // two formats, with and without gzip

    static constexpr std::size_t kKept = 2;

    std::shared_ptr<Slot> slot_of(const std::shared_ptr<const Snapshot>& snapshot, std::size_t index,
                                  bool gzip);
    std::shared_ptr<Slot> take();  ///< for a packed page
    void give_back(Slot* used) noexcept;

    std::mutex idle_mutex_;  ///< may be taken while mutex_ is held, not the other way round
    std::vector<std::unique_ptr<Slot>> idle_;
    std::mutex mutex_;
    std::weak_ptr<const Snapshot> snapshot_;  ///< whose pages slots_ are
    Slots slots_;
    std::atomic<std::size_t> text_bytes_ = 0;  ///< of the last page: what the next one as text will need
};

}  // namespace plimsoll
