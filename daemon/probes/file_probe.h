// SPDX-License-Identifier: Apache-2.0
// What probes that read files have in common: a table of series, values kept per container, and what becomes
// of them when a container ends.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

#include "probes/probe.h"

namespace plimsoll {

/// One series of each container that has a value for it.
struct FileSeries {
    std::size_t family;         ///< index into Probe::metrics()
    std::string_view fragment;  ///< its labels, rendered; static storage
    Number::Kind kind;          ///< how its number is written; never `real`
};

/// `State` is what the probe keeps of a container between samples, descriptors mostly; default-constructible.
/// Series of a family stand next to each other, families in the order of metrics().
template <typename State, std::size_t SeriesCount>
class FileProbe : public Probe {
  public:
    [[nodiscard]] std::string_view method() const override { return "files"; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes&) const override { return {}; }
    void forget(Handle container) override { entries_.erase(container); }

    void sample(const SampleContext& context, SampleWriter& writer) override {
        rows_.clear();
        for (const auto containers : {context.containers, context.groups}) {
            for (const auto& container : containers) {
                if (container.cgroup_id != 0) {
                    rows_.push_back(refresh(container, context));
                }
            }
        }
        std::size_t next = 0;
        for (std::size_t family = 0; family < metrics().size(); ++family) {
            const std::size_t first = next;
            while (next < SeriesCount && table_[next].family == family) {
                ++next;
            }
            writer.family(metrics()[family], known(first, next));
            for (const auto& row : rows_) {
                if (row.ended && metrics()[family].type != MetricType::counter) {
                    continue;
                }
                for (std::size_t series = first; series < next; ++series) {
                    write(writer, row, series);
                }
                write_open_set(family, row.index, row.entry->state, writer);
            }
        }
    }

  protected:
    class Values {
      public:
        void set(std::size_t series, std::uint64_t number) {
            numbers_[series] = number;
            known_.set(series);
        }
        void unset(std::size_t series) { known_.reset(series); }
        [[nodiscard]] bool has(std::size_t series) const { return known_.test(series); }
        [[nodiscard]] std::uint64_t operator[](std::size_t series) const { return numbers_[series]; }

      private:
        std::array<std::uint64_t, SeriesCount> numbers_{};
        std::bitset<SeriesCount> known_;
    };

    explicit FileProbe(const std::array<FileSeries, SeriesCount>& table) : table_(table) {}

    /// Reads what there is now; what cannot be told is not set. False: the container is gone, and what was
    /// read last stays.
    virtual bool read(const SampledContainer& container, const SampleContext& context, State& state,
                      Values& values) = 0;
    /// Whether what was read in a container's rest holds until that ends: when nothing moves it but the
    /// container's own threads.
    virtual bool holds_in_rest(const State&) const { return false; }
    /// What is kept of a container that has ended: its descriptors are of no use any more.
    virtual void ended(State&) {}
    /// Series of a family whose labels depend on what the container does (devices, interfaces).
    virtual void write_open_set(std::size_t /*family*/, std::uint32_t /*container*/, const State&,
                                SampleWriter&) {}

  private:
    struct Entry {
        State state;
        Values values;
        Rest rest = kNoRest;  // in which they were read
    };
    struct Row {
        std::uint32_t index;
        bool ended;
        const Entry* entry;
    };

    Row refresh(const SampledContainer& container, const SampleContext& context) {
        Entry& entry = entries_[container.handle];
        bool gone = container.ended;
        const bool holds =
            container.rest != kNoRest && container.rest == entry.rest && holds_in_rest(entry.state);
        if (!gone && !holds) {
            Values fresh;
            gone = !read(container, context, entry.state, fresh);
            entry.values = gone ? entry.values : fresh;
            entry.rest = gone ? kNoRest : container.rest;
        }
        if (gone) {
            ended(entry.state);
        }
        return {container.index, gone, &entry};
    }

    /// How many values of these series there are.
    [[nodiscard]] std::size_t known(std::size_t first, std::size_t end) const {
        std::size_t count = 0;
        for (const auto& row : rows_) {
            for (std::size_t series = first; series < end; ++series) {
                count += row.entry->values.has(series) ? 1 : 0;
            }
        }
        return count;
    }

    void write(SampleWriter& writer, const Row& row, std::size_t series) const {
        if (row.entry->values.has(series)) {
            const std::uint64_t number = row.entry->values[series];
            const bool time = table_[series].kind == Number::Kind::nanoseconds;
            writer.add(row.index, table_[series].fragment,
                       time ? Number::nanoseconds(number) : Number::count(number));
        }
    }

    const std::array<FileSeries, SeriesCount>& table_;
    std::unordered_map<Handle, Entry> entries_;
    std::vector<Row> rows_;
};

}  // namespace plimsoll
