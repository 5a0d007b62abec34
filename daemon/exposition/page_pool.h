// SPDX-License-Identifier: Apache-2.0
// The buffers that pages are rendered into. A scrape leases one and brings it back, so that the usual one
// scrape at a time always reuses the same memory; of many at once only the last few buffers are kept. Any
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exposition/gzip.h"
#include "exposition/text.h"

namespace plimsoll {

struct Page {
    Rendered text;
    std::string compressed;
    GzipEncoder encoder;

    std::size_t memory() const { return text.body.capacity() + compressed.capacity(); }
};

class PagePool {
  public:
    class Return {
      public:
        explicit Return(PagePool* pool = nullptr) : pool_(pool) {}
        void operator()(Page* page) const noexcept { pool_->give_back(page); }

      private:
        PagePool* pool_;
    };
    using Lease = std::unique_ptr<Page, Return>;

    PagePool() { idle_.reserve(kKept); }

    Lease take() {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) {
            return Lease(new Page, Return(this));
        }
        Lease lease(idle_.back().release(), Return(this));
        idle_.pop_back();
        return lease;
    }

  private:
    static constexpr std::size_t kKept = 2;

    void give_back(Page* page) noexcept {
        std::unique_ptr<Page> mine(page);  // destroyed after the lock is released
        const std::lock_guard lock(mutex_);
        if (idle_.size() < kKept) {
            idle_.push_back(std::move(mine));
        }
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Page>> idle_;
};

}  // namespace plimsoll
