// SPDX-License-Identifier: Apache-2.0
#include "exposition/text.h"

#include <cassert>
#include <set>

#include "exposition/number_text.h"
#include "exposition/self_text.h"

namespace plimsoll {
namespace {

constexpr std::size_t kPiece = 64 * 1024;  // what a sink gets at a time: stays in the processor's cache

void hand_on(Rendered& out, const TextSink& sink) {
    out.bytes += out.body.size();
    if (sink) {
        sink(out.body);
        out.body.clear();
    }
}

/// The sample lines of one family: name, container labels, the sample's own fragment.
class FamilyText {
  public:
    FamilyText(const Snapshot& snapshot, std::string_view name, Rendered& out)
        : snapshot_(snapshot), name_(name), out_(out.body), series_(out.series) {}

    void value(const Sample& sample) {
        begin("", sample);
        if (has_labels(sample)) {
            out_ += '}';
        }
        end(sample.value);
    }

    void histogram(const Sample& sample) {
        const HistogramValue& value = snapshot_.histograms[sample.value.integer];
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < value.buckets.size(); ++i) {
            count += value.buckets[i];
            begin("_bucket", sample);
            out_ += has_labels(sample) ? ",le=\"" : "{le=\"";
            out_ += i < kTimeBounds ? kTimeBoundTexts[i] : "+Inf";
            out_ += "\"}";
            end(Number::count(count));
        }
        begin("_sum", sample);
        out_ += has_labels(sample) ? "}" : "";
        end(Number::nanoseconds(value.sum_ns));
        begin("_count", sample);
        out_ += has_labels(sample) ? "}" : "";
        end(Number::count(count));
    }

  private:
    std::string_view prefix(const Sample& sample) const {
        return sample.container == kNoContainer ? std::string_view{}
                                                : *snapshot_.containers[sample.container];
    }

    bool has_labels(const Sample& sample) const {
        return !prefix(sample).empty() || !sample.fragment.empty();
    }

    /// Everything up to the brace that closes the labels.
    void begin(std::string_view suffix, const Sample& sample) {
        out_ += name_;
        out_ += suffix;
        if (has_labels(sample)) {
            out_ += '{';
            out_ += prefix(sample);
            out_ += !prefix(sample).empty() && !sample.fragment.empty() ? "," : "";
            out_ += sample.fragment;
        }
    }

    void end(const Number& number) {
        out_ += ' ';
        append_number(out_, number);
        out_ += '\n';
        ++series_;
    }

    const Snapshot& snapshot_;
    std::string_view name_;
    std::string& out_;
    std::size_t& series_;
};

FamilyType family_type(MetricType type) {
    switch (type) {
        case MetricType::counter:
            return FamilyType::counter;
        case MetricType::gauge:
            return FamilyType::gauge;
        case MetricType::histogram:
            return FamilyType::histogram;
    }
    return FamilyType::untyped;
}

void render_family(const Snapshot& snapshot, const FamilySamples& family, TextFormat format, Rendered& out,
                   const TextSink& sink) {
    if (family.samples.empty()) {
        return;
    }
    const MetricSpec& spec = *family.spec;
    append_family_header(out.body, format, spec.name, family_type(spec.type), spec.unit, spec.help);
    FamilyText text(snapshot, spec.name, out);
    const bool histogram = spec.type == MetricType::histogram;
    for (const Sample& sample : family.samples) {
        histogram ? text.histogram(sample) : text.value(sample);
        if (sink && out.body.size() >= kPiece) {
            hand_on(out, sink);
        }
    }
}

}  // namespace

void render(const Snapshot& snapshot, TextFormat format, Rendered& out, const TextSink& sink) {
    assert(!repeated_family(snapshot));
    out.body.clear();
    out.series = out.bytes = 0;
    for (const FamilySamples& family : snapshot.families) {
        render_family(snapshot, family, format, out, sink);
    }
    for (const prometheus::MetricFamily& family : snapshot.self) {
        out.series += append_self_family(out.body, family, format);
    }
    if (format == TextFormat::openmetrics) {
        out.body += "# EOF\n";
    }
    hand_on(out, sink);
}

std::optional<std::string_view> repeated_family(const Snapshot& snapshot) {
    std::set<std::string_view> names;
    for (const FamilySamples& family : snapshot.families) {
        if (!names.insert(family.spec->name).second) {
            return family.spec->name;
        }
    }
    for (const prometheus::MetricFamily& family : snapshot.self) {
        if (!names.insert(family.name).second) {
            return family.name;
        }
    }
    return std::nullopt;
}

}  // namespace plimsoll
