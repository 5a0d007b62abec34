// SPDX-License-Identifier: Apache-2.0
// A probe whose numbers come from the kernel programs of one skeleton: how these are opened, loaded and
// attached. What is its own, a probe says in choose_programs(), configure(), map_arrays() and
// attach_programs().
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/programs.h"
#include "kernel/skeleton.h"
#include "probes/probe.h"

namespace plimsoll {

/// `Bpf`: what bpftool made of X.bpf.c.
template <typename Bpf>
class KernelProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] std::string_view method() const override { return "tp_btf"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return metrics_; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes& types) const override {
        const auto skeleton = open_skeleton<Bpf>({});
        if (!skeleton) {
            return {};
        }
        choose_programs(**skeleton, types);
        return program_sections((*skeleton)->obj);
    }
    Result<void> start(const ProbeContext& context) override {
        return in_order([&] { return open(context); }, [&] { return load(); }, [&] { return map_arrays(); },
                        [&] { return attach(); });
    }
    [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }

  protected:
    /// Both in static storage.
    KernelProbe(std::string_view name, std::span<const MetricSpec> metrics)
        : name_(name), metrics_(metrics) {}

    /// Switches programs that do not fit the kernel off.
    virtual void choose_programs(const Bpf&, const KernelTypes&) const {}
    /// Before the load: read-only data and the sizes of maps. Programs have been chosen.
    virtual void configure(const ProbeContext& context) = 0;
    virtual Result<void> load() { return load_skeleton(*skeleton_); }
    /// After the load: map_into() for each array that is sampled.
    virtual Result<void> map_arrays() = 0;
    virtual Result<void> attach_programs(Links& links) { return links.attach(skeleton_->obj); }

    /// Instead of what was attached before.
    Result<void> attach() { return attach_programs(links_.emplace()); }
    void detach() { links_.reset(); }
    [[nodiscard]] bool is_attached() const { return links_.has_value(); }
    /// While it is attached; null: not a program that is.
    [[nodiscard]] bpf_link* link(std::string_view program) const { return links_->find(program); }

    [[nodiscard]] Bpf& skeleton() const { return *skeleton_; }

  private:
    Result<void> open(const ProbeContext& context) {
        auto skeleton = open_skeleton<Bpf>(context.scope.maps());
        if (!skeleton) {
            return std::unexpected(skeleton.error());
        }
        skeleton_ = std::move(*skeleton);
        choose_programs(*skeleton_, context.types);
        tell_about_host(context);
        configure(context);
        return {};
    }
    /// What all programs take from the headers that they share, as far as these do.
    void tell_about_host(const ProbeContext& context) {
        skeleton_->rodata->subsystem_index = context.scope.subsystem_index();
        if constexpr (requires { skeleton_->rodata->kernel_can_cast; }) {
            adapt_reading(*skeleton_, context.types.can_cast());
        }
        if constexpr (requires { skeleton_->rodata->books_peers; }) {
            skeleton_->rodata->books_peers = context.scope.books_peers();
        }
    }

    std::string_view name_;
    std::span<const MetricSpec> metrics_;
    Skeleton<Bpf> skeleton_;
    std::optional<Links> links_;  // empty while nothing is attached
};

}  // namespace plimsoll
