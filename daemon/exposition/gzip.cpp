// SPDX-License-Identifier: Apache-2.0
#include "exposition/gzip.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>

namespace plimsoll {
namespace {

// Level 1 is as fast as level 0 and its pages are a third smaller; docs/decisions/0006 compares libraries.
constexpr std::uint32_t kLevel = 1;
constexpr std::size_t kGrowth = 256 * 1024;

}  // namespace

struct GzipEncoder::State {
    isal_zstream stream;
    std::array<std::uint8_t, ISAL_DEF_LVL1_DEFAULT> tables;
};

GzipEncoder::GzipEncoder() : state_(std::make_unique<State>()) {}
GzipEncoder::~GzipEncoder() = default;

void GzipEncoder::start(std::string& out) {
    isal_zstream& stream = state_->stream;
    isal_deflate_init(&stream);
    stream.level = kLevel;
    stream.level_buf = state_->tables.data();
    stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream.gzip_flag = IGZIP_GZIP;
    out_ = &out;
    used_ = 0;
}

void GzipEncoder::append(std::string_view text) {
    run(text, false);
}

void GzipEncoder::finish() {
    run({}, true);
    out_->resize(used_);
    out_ = nullptr;
}

/// isal_deflate() fails for wrong settings only, and those are constants.
void GzipEncoder::run(std::string_view text, bool last) {
    isal_zstream& stream = state_->stream;
    stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<std::uint32_t>(text.size());
    stream.end_of_stream = last ? 1 : 0;
    do {
        if (out_->size() - std::min(out_->size(), used_) < kGrowth) {
            out_->resize(std::max(out_->capacity(), used_ + kGrowth));
        }
        const std::size_t room = std::min<std::size_t>(out_->size() - used_, 1U << 30U);
        stream.next_out = reinterpret_cast<std::uint8_t*>(out_->data() + used_);
        stream.avail_out = static_cast<std::uint32_t>(room);
        isal_deflate(&stream);
        used_ += room - stream.avail_out;
    } while (stream.avail_out == 0);
}

}  // namespace plimsoll
