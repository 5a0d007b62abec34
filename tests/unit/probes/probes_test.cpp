// SPDX-License-Identifier: Apache-2.0
// What every probe promises, and nothing about the kernel: that is tests/bpf.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "probes/probe.h"

namespace plimsoll {
namespace {

// Names that cAdvisor chose and that dashboards and rules ask for.
const std::set<std::string_view> kOfTheMachine{"machine_cpu_cores", "machine_memory_bytes",
                                               "machine_swap_bytes"};
const std::set<std::string_view> kCountersByAnotherName{"container_memory_failcnt"};
const std::set<std::string_view> kGaugesByAnotherName{"container_fs_inodes_total"};

// Those that only add to families of others.
const std::set<std::string_view> kSuppliers{"traffic"};

TEST_CASE("probes have different names and at least one family each, or supply those of others") {
    std::set<std::string_view> names;
    for (const auto& probe : make_probes()) {
        CHECK(names.insert(probe->name()).second);
        CHECK_FALSE(probe->method().empty());
        CHECK(probe->metrics().empty() == kSuppliers.contains(probe->name()));
    }
    CHECK(names.contains("ledger"));
    CHECK(names.contains("process"));
}

TEST_CASE("no two probes declare the same family and each follows the naming rules") {
    std::set<std::string_view> names;
    for (const auto& probe : make_probes()) {
        for (const auto& spec : probe->metrics()) {
            CAPTURE(spec.name);
            CHECK(names.insert(spec.name).second);
            CHECK((spec.name.starts_with("container_") || kOfTheMachine.contains(spec.name)));
            const bool counter = spec.type == MetricType::counter;
            CHECK(spec.name.ends_with("_total") == (counter ? !kCountersByAnotherName.contains(spec.name)
                                                            : kGaugesByAnotherName.contains(spec.name)));
            CHECK((spec.unit.empty() || spec.name.find(spec.unit) != std::string_view::npos));
            CHECK(spec.help.ends_with('.'));
            CHECK(spec.help.find('\n') == std::string_view::npos);
            CHECK_FALSE(spec.source.empty());
        }
    }
}

TEST_CASE("the hooks that a probe names are those of its programs, found without root") {
    const auto types = KernelTypes::load();
    if (!types) {
        WARN("skipped: " << types.error().message);
        return;
    }
    for (const auto& probe : make_probes()) {
        CAPTURE(probe->name());
        const auto hooks = probe->hooks(*types);
        CHECK(hooks.empty() == (probe->method() == "files" || probe->method() == "ledger"));
        for (const auto& hook : hooks) {
            CHECK(hook.find('/') != std::string::npos);
        }
        if (probe->name() == "process") {
            // Two programs fit two kernels; one of them is used.
            CHECK(std::ranges::count(hooks, "tp_btf/mark_victim") == 1);
        }
    }
}

TEST_CASE("what was never started forgets without harm") {
    for (const auto& probe : make_probes()) {
        probe->forget(4711);
        CHECK(probe->residual_seconds() == 0);
    }
}

}  // namespace
}  // namespace plimsoll
