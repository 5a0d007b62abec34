/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The same calls by way of the functions that do them, where the kernel lets programs be attached to
 * functions: then no other system call costs anything. Expects begin_call() and end_call().
 */
#pragma once

#include "io_calls.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define CALL_FUNCTION "__x64_sys_"
#elif defined(__TARGET_ARCH_arm64)
#define CALL_FUNCTION "__arm64_sys_"
#endif

/* Once for all programs: the object would be three times as large. */
static __noinline int enter_function(struct pt_regs* registers, __u32 call) {
    return begin_call(registers, call);
}
static __noinline int exit_function(struct pt_regs* registers, __u32 call, __s64 result) {
    return end_call(registers, call, result);
}

#define IO_FUNCTION_PROGRAMS(name, function, call)                      \
    SEC("fentry/" CALL_FUNCTION #function)                              \
    int BPF_PROG(enter_##name, struct pt_regs* registers) {             \
        return enter_function(registers, IO_CALL_##call);               \
    }                                                                   \
    SEC("fexit/" CALL_FUNCTION #function)                               \
    int BPF_PROG(exit_##name, struct pt_regs* registers, long result) { \
        return exit_function(registers, IO_CALL_##call, result);        \
    }

IO_CALLS(IO_FUNCTION_PROGRAMS)
