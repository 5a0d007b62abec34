// SPDX-License-Identifier: Apache-2.0
#include "check_command.h"

#include <filesystem>
#include <iomanip>
#include <string>
#include <vector>

#include "config/connection_address.h"
#include "containers/cgroup_tree.h"
#include "containers/hierarchy_number.h"
#include "daemon.h"
#include "files/memory_limit.h"
#include "kernel/connection_hook.h"
#include "kernel/features.h"
#include "kernel/programs.h"
#include "kernel/scope.h"
#include "probes/probe.h"

namespace plimsoll {

namespace {

enum class Verdict { fine, missing, failed };

struct Row {
    Verdict verdict;
    std::string what, detail;
};

std::string_view mark(Verdict verdict) {
    switch (verdict) {
        case Verdict::fine:
            return "ok";
        case Verdict::missing:
            return "--";
        case Verdict::failed:
            break;
    }
    return "FAIL";
}

class Checker {
  public:
    Checker(const Config& config, const WebPolicy& web) : config_(config), web_(web) {}

    bool run() {
        check_cgroups();
        check_memory();
        check_capabilities();
        check_types();
        check_runtimes();
        check_web();
        if (types_ && layout_ && capable_) {
            check_scope();
        }
        return would_start_ && !rows_.empty();
    }

    [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  private:
    void fine(std::string what, std::string detail) {
        rows_.push_back({Verdict::fine, std::move(what), std::move(detail)});
    }
    void failed(std::string what, std::string detail) {
        rows_.push_back({Verdict::failed, std::move(what), std::move(detail)});
        would_start_ = false;
    }

    void check_cgroups() {
        auto layout = detect_layout();
        if (!layout) {
            failed("cgroups", layout.error().message);
            return;
        }
        layout_ = std::move(*layout);
        const bool hybrid = layout_->v2 && layout_->all.size() > 1;
        fine("cgroups",
             layout_->v2
                 ? (hybrid ? "hybrid, containers by the v2 hierarchy at " : "v2 at ") + layout_->mount
                 : "v1, containers by the hierarchy of " + layout_->controller + " at " + layout_->mount);
    }

    void check_memory() {
        const auto slots = Registry::slots_needed(daemon_limits(config_));
        const auto enough = layout_ ? has_memory_for(slots, possible_cpus(), *layout_) : Result<void>();
        if (enough) {
            fine("memory", "enough for " + std::to_string(config_.containers.max) + " containers");
        } else {
            failed("memory", enough.error().message);
        }
    }

    void check_capabilities() {
        const std::string missing = missing_capabilities();
        capable_ = missing.empty();
        if (capable_) {
            fine("capabilities", "all that are needed");
        } else {
            failed("capabilities", "missing " + missing + ": run as root or with these capabilities");
        }
    }

    void check_types() {
        auto types = KernelTypes::load();
        if (types) {
            types_.emplace(std::move(*types));
            fine("kernel types (BTF)", "/sys/kernel/btf/vmlinux");
        } else {
            failed("kernel types (BTF)", types.error().message);
        }
    }

    /// Files of a runtime that is not installed are no problem: its containers are not here either.
    void check_runtimes() {
        const auto look = [this](const char* runtime, const std::vector<std::string>& roots) {
            for (const auto& root : roots) {
                std::error_code error;
                if (std::filesystem::is_directory(root, error)) {
                    fine(std::string("runtime ") + runtime, "names from " + root);
                    return;
                }
            }
            rows_.push_back({Verdict::missing, std::string("runtime ") + runtime,
                             "no " + (roots.empty() ? std::string("root configured") : roots.front()) +
                                 ": not installed, or set containers.roots." + runtime});
        };
        look("docker", config_.containers.roots.docker);
        look("containerd", config_.containers.roots.containerd);
        look("podman", config_.containers.roots.podman);
        look("crio", config_.containers.roots.crio);
    }

    void check_web() {
        const std::string what = "web server";
        if (!web_.summary.empty()) {
            fine(what, web_.summary);
        }
        for (const auto& warning : web_.warnings) {
            rows_.push_back({Verdict::missing, what, warning});
        }
    }

    void check_scope() {
        ScopeOptions options;
        options.slots = SLOT_FIRST + 2;
        options.provisional = 2;
        options.cgroup_v2 = layout_->v2;
        options.controller = layout_->controller;
        options.channel = config_.events_channel;
        options.peers = config_.probes.at("peer").enabled;
        if (!layout_->v2) {
            options.hierarchy_id = hierarchy_number(layout_->controller).value_or(0);
        }
        const std::string what = "scope (cgroup, task and process hooks)";
        auto scope = Scope::load(options, *types_);
        if (!scope) {
            failed(what, scope.error().message);
            return;
        }
        check_connection_rules(**scope);
        bool any = false;
        for (auto& probe : make_probes()) {
            any = check_probe(*probe, **scope) || any;
        }
        if (auto attached = (*scope)->attach(); attached) {
            fine(what, "loads and attaches");
        } else {
            failed(what, attached.error().message);
        }
        if (!any) {
            failed("probes", "none can be started, so there is nothing to export");
        }
    }

    void check_connection_rules(const Scope& scope) {
        const auto targets = connection_targets(config_.containers);
        if (targets.empty()) {
            return;
        }
        const std::string what = "rules with connects_to";
        if (const auto hook = ConnectionHook::attach(scope, *types_, targets, 1); hook) {
            fine(what, program_sections((*hook)->object()).front() +
                           "; each connection of the host is compared with " +
                           std::to_string(targets.size()) +
                           (targets.size() == 1 ? " address" : " addresses"));
        } else {
            failed(what, hook.error().message);
        }
    }

    bool check_probe(Probe& probe, Scope& scope) {
        const std::string what = "probe " + std::string(probe.name());
        const auto configured = config_.probes.find(std::string(probe.name()));
        if (configured != config_.probes.end() && !configured->second.enabled) {
            rows_.push_back({Verdict::missing, what, "switched off by the configuration"});
            return false;
        }
        const bool required = configured != config_.probes.end() && configured->second.required;
        std::string missing, hooks;
        for (const auto& hook : probe.hooks(*types_)) {
            const bool there = !hook.starts_with("tp_btf/") || types_->has_tracepoint(hook.substr(7));
            (there ? hooks : missing) += (there ? hooks : missing).empty() ? hook : ", " + hook;
        }
        auto started = missing.empty() ? probe.start({scope, *types_, *layout_, config_})
                                       : fail("this kernel has no " + missing);
        if (started) {
            const bool reads_files = probe.method() == "files";
            std::string detail = !hooks.empty() ? hooks
                                 : reads_files
                                     ? "reads files of the kernel"
                                     : "reads what probe " + std::string(probe.method()) + " counts";
            if (!probe.cost().empty()) {
                detail += "; " + std::string(probe.cost());
            }
            fine(what, detail);
        } else if (required) {
            failed(what, started.error().message + " (and it is required)");
        } else {
            rows_.push_back(
                {Verdict::missing, what, started.error().message + "; the others run without it"});
        }
        return started.has_value();
    }

    const Config& config_;
    const WebPolicy& web_;
    std::optional<CgroupLayout> layout_;
    std::optional<KernelTypes> types_;
    bool capable_ = false;
    bool would_start_ = true;
    std::vector<Row> rows_;
};

}  // namespace

int run_check(const Config& config, const WebPolicy& web, std::ostream& out) {
    Checker checker(config, web);
    const bool would_start = checker.run();
    std::size_t width = 0;
    for (const auto& row : checker.rows()) {
        width = std::max(width, row.what.size());
    }
    for (const auto& row : checker.rows()) {
        out << std::left << std::setw(6) << mark(row.verdict) << std::setw(static_cast<int>(width) + 2)
            << row.what << row.detail << '\n';
    }
    out << (would_start ? "\nThe agent would start here.\n" : "\nThe agent would not start here.\n");
    return would_start ? 0 : 1;
}

}  // namespace plimsoll
