// SPDX-License-Identifier: Apache-2.0
#include "exposition/self_text.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "exposition/labels.h"
#include "exposition/number_text.h"

namespace plimsoll {
namespace {

using prometheus::ClientMetric;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Extra {  ///< the label that a bucket or quantile adds
    std::string_view name;
    double value;
};

class SelfText {
  public:
    SelfText(std::string& out, const prometheus::MetricFamily& family) : out_(out), family_(family) {}

    void value(const ClientMetric& metric, double number) {
        begin("", metric, std::nullopt);
        append_double(out_, number);
        end();
    }

    void histogram(const ClientMetric& metric) {
        const auto& histogram = metric.histogram;
        bool infinite = false;
        for (const auto& bucket : histogram.bucket) {
            infinite = infinite || std::isinf(bucket.upper_bound);
            count("_bucket", metric, Extra{"le", bucket.upper_bound}, bucket.cumulative_count);
        }
        if (!infinite) {
            count("_bucket", metric, Extra{"le", kInfinity}, histogram.sample_count);
        }
        sum_and_count(metric, histogram.sample_sum, histogram.sample_count);
    }

    void summary(const ClientMetric& metric) {
        for (const auto& quantile : metric.summary.quantile) {
            begin("", metric, Extra{"quantile", quantile.quantile});
            append_double(out_, quantile.value);
            end();
        }
        sum_and_count(metric, metric.summary.sample_sum, metric.summary.sample_count);
    }

    std::size_t series() const { return series_; }

  private:
    void sum_and_count(const ClientMetric& metric, double sum, std::uint64_t number) {
        begin("_sum", metric, std::nullopt);
        append_double(out_, sum);
        end();
        count("_count", metric, std::nullopt, number);
    }

    void count(std::string_view suffix, const ClientMetric& metric, std::optional<Extra> extra,
               std::uint64_t number) {
        begin(suffix, metric, extra);
        append_integer(out_, number);
        end();
    }

    void begin(std::string_view suffix, const ClientMetric& metric, std::optional<Extra> extra) {
        out_ += family_.name;
        out_ += suffix;
        char separator = '{';
        for (const auto& label : metric.label) {
            name(separator, label.name);
            append_label_value(out_, label.value);
            out_ += '"';
        }
        if (extra) {
            name(separator, extra->name);
            append_bound(out_, extra->value);
            out_ += '"';
        }
        out_ += separator == ',' ? "} " : " ";
    }

    void name(char& separator, std::string_view label) {
        out_ += separator;
        out_ += label;
        out_ += "=\"";
        separator = ',';
    }

    void end() {
        out_ += '\n';
        ++series_;
    }

    std::string& out_;
    const prometheus::MetricFamily& family_;
    std::size_t series_ = 0;
};

FamilyType family_type(prometheus::MetricType type) {
    switch (type) {
        case prometheus::MetricType::Counter:
            return FamilyType::counter;
        case prometheus::MetricType::Gauge:
            return FamilyType::gauge;
        case prometheus::MetricType::Summary:
            return FamilyType::summary;
        case prometheus::MetricType::Untyped:
            return FamilyType::untyped;
        case prometheus::MetricType::Histogram:
            return FamilyType::histogram;
    }
    return FamilyType::untyped;
}

void append_metric(SelfText& text, FamilyType type, const ClientMetric& metric) {
    switch (type) {
        case FamilyType::counter:
            return text.value(metric, metric.counter.value);
        case FamilyType::gauge:
            return text.value(metric, metric.gauge.value);
        case FamilyType::summary:
            return text.summary(metric);
        case FamilyType::untyped:
            return text.value(metric, metric.untyped.value);
        case FamilyType::histogram:
            return text.histogram(metric);
    }
}

/// prometheus-cpp knows no units; the name tells.
std::string_view unit_of(std::string_view name) {
    if (name.ends_with("_total")) {
        name.remove_suffix(6);
    }
    return name.ends_with("_seconds") ? "seconds" : name.ends_with("_bytes") ? "bytes" : "";
}

}  // namespace

std::size_t append_self_family(std::string& out, const prometheus::MetricFamily& family, TextFormat format) {
    if (family.metric.empty()) {
        return 0;
    }
    const FamilyType type = family_type(family.type);
    append_family_header(out, format, family.name, type, unit_of(family.name), family.help);
    SelfText text(out, family);
    for (const ClientMetric& metric : family.metric) {
        append_metric(text, type, metric);
    }
    return text.series();
}

}  // namespace plimsoll
