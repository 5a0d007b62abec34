// SPDX-License-Identifier: Apache-2.0
#include "kernel/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>

#include "loop/unique_fd.h"

namespace plimsoll {

void KernelTypes::Deleter::operator()(btf* types) const {
    btf__free(types);
}

Result<KernelTypes> KernelTypes::load() {
    btf* types = btf__load_vmlinux_btf();
    if (types == nullptr && access("/sys/kernel/btf/vmlinux", F_OK) == 0) {
        return fail(
            "the kernel's type information (BTF) in /sys/kernel/btf/vmlinux cannot be used: it is damaged or "
            "not "
            "readable, or memory is short");
    }
    if (types == nullptr) {
        return fail(
            "the kernel has no type information (BTF) at /sys/kernel/btf/vmlinux: it must be built with "
            "CONFIG_DEBUG_INFO_BTF=y, as the kernels of all current distributions are");
    }
    return KernelTypes(types);
}

bool KernelTypes::has_function(std::string_view name) const {
    return btf__find_by_name_kind(types_.get(), std::string(name).c_str(), BTF_KIND_FUNC) > 0;
}

namespace {

const btf_type* tracepoint_prototype(const btf* types, std::string_view name) {
    const std::string type_name = "btf_trace_" + std::string(name);
    const int id = btf__find_by_name_kind(types, type_name.c_str(), BTF_KIND_TYPEDEF);
    const btf_type* type = id > 0 ? btf__type_by_id(types, static_cast<__u32>(id)) : nullptr;
    type = type != nullptr ? btf__type_by_id(types, type->type) : nullptr;
    return type != nullptr && btf_is_ptr(type) ? btf__type_by_id(types, type->type) : nullptr;
}

}  // namespace

bool KernelTypes::has_tracepoint(std::string_view name) const {
    return tracepoint_prototype(types_.get(), name) != nullptr;
}

bool KernelTypes::tracepoint_argument_is_pointer(std::string_view name, unsigned index) const {
    const btf_type* prototype = tracepoint_prototype(types_.get(), name);
    if (prototype == nullptr || btf_vlen(prototype) <= index + 1) {
        return false;
    }
    const btf_type* argument = btf__type_by_id(types_.get(), btf_params(prototype)[index + 1].type);
    return argument != nullptr && btf_is_ptr(argument);
}

unsigned KernelTypes::tracepoint_arguments(std::string_view name) const {
    const btf_type* prototype = tracepoint_prototype(types_.get(), name);
    return prototype == nullptr ? 0 : btf_vlen(prototype) - 1;
}

unsigned KernelTypes::function_arguments(std::string_view name) const {
    const int id = btf__find_by_name_kind(types_.get(), std::string(name).c_str(), BTF_KIND_FUNC);
    const btf_type* function = id > 0 ? btf__type_by_id(types_.get(), static_cast<__u32>(id)) : nullptr;
    const btf_type* prototype = function != nullptr ? btf__type_by_id(types_.get(), function->type) : nullptr;
    return prototype == nullptr ? 0 : btf_vlen(prototype);
}

bool KernelTypes::allows_fexit(std::string_view function) const {
    const int id = btf__find_by_name_kind(types_.get(), std::string(function).c_str(), BTF_KIND_FUNC);
    if (id <= 0) {
        return false;
    }
    const std::array<bpf_insn, 2> nothing{
        bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    bpf_prog_load_opts options{};
    options.sz = sizeof(options);
    options.expected_attach_type = BPF_TRACE_FEXIT;
    options.attach_btf_id = static_cast<__u32>(id);
    const UniqueFd program(
        bpf_prog_load(BPF_PROG_TYPE_TRACING, "trial", "GPL", nothing.data(), nothing.size(), &options));
    const UniqueFd link(program ? bpf_raw_tracepoint_open(nullptr, program.get()) : -1);
    return static_cast<bool>(link);
}

std::optional<int> KernelTypes::cgroup_subsystem_index(std::string_view controller) const {
    const int id = btf__find_by_name_kind(types_.get(), "cgroup_subsys_id", BTF_KIND_ENUM);
    const btf_type* type = id > 0 ? btf__type_by_id(types_.get(), static_cast<__u32>(id)) : nullptr;
    const std::string wanted =
        (controller == "blkio" ? std::string("io") : std::string(controller)) + "_cgrp_id";
    for (unsigned i = 0; type != nullptr && i < btf_vlen(type); i++) {
        const auto& value = btf_enum(type)[i];
        if (wanted == btf__name_by_offset(types_.get(), value.name_off)) {
            return value.val;
        }
    }
    return std::nullopt;
}

unsigned possible_cpus() {
    const int cpus = libbpf_num_possible_cpus();
    return cpus > 0 ? static_cast<unsigned>(cpus) : 1;  // loading the maps says what is wrong
}

bool has_capability(unsigned number) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    return syscall(SYS_capget, &header, data.data()) != 0 ||  // who does not tell is asked by trying
           (data[number / 32].effective >> (number % 32) & 1U) != 0;
}

std::string missing_capabilities() {
    struct Needed {
        unsigned number;
        const char* name;
    };
    // BPF: programs and maps; PERFMON: tracing programs; DAC_READ_SEARCH: cgroups by id (open_by_handle_at,
    // for which DAC_OVERRIDE is not enough) and the runtimes' files. Without SYS_PTRACE, which the unit also
    // has, the agent starts: only what is read from others' /proc/PID is missing.
    constexpr std::array kNeeded{Needed{CAP_BPF, "CAP_BPF"}, Needed{CAP_PERFMON, "CAP_PERFMON"},
                                 Needed{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}};
    std::string missing;
    for (const auto& needed : kNeeded) {
        const bool covered = needed.number != CAP_DAC_READ_SEARCH && has_capability(CAP_SYS_ADMIN);
        if (!has_capability(needed.number) && !covered) {
            missing += (missing.empty() ? "" : " ") + std::string(needed.name);
        }
    }
    return missing;
}

void route_libbpf_messages() {
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
        if (level == LIBBPF_DEBUG || !spdlog::should_log(spdlog::level::debug)) {
            return 0;
        }
        std::array<char, 2048> text{};
        const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
        std::string_view line(text.data());
        while (line.ends_with('\n')) {
            line.remove_suffix(1);
        }
        spdlog::debug("{}", line);
        return length;
    });
}

}  // namespace plimsoll
