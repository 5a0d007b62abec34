/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading through pointers that the verifier has no type for. */
#pragma once

#include "kernel.bpf.h"

const volatile __u32 kernel_can_cast = 0; /* bpf_rdonly_cast exists: typed loads instead of copies */

/* The address as a pointer to a kernel structure of that type, readable without a helper call. */
#define AS(type, address) ((type*)bpf_rdonly_cast((const void*)(address), bpf_core_type_id_kernel(type)))

/* Reads pointer->field, where pointer came from memory and so has no type that the verifier knows. */
#define READ(type, pointer, field) \
    (kernel_can_cast ? AS(type, pointer)->field : BPF_CORE_READ((type*)(pointer), field))

/*
 * The same pointer, about which the verifier knows only its type. For each pointer that is read through one
 * that it trusts, it looks through the names of all of the kernel's types several times, which makes the load
 * slow. Costs a check of the address at each read.
 */
#define READ_ONLY(type, pointer) (kernel_can_cast ? AS(type, pointer) : (pointer))

/*
 * A function that the verifier checks once, on its own, instead of again for every way that leads to it. Its
 * arguments are numbers, as plain() makes them of addresses, and memory of the caller.
 */
#define VERIFIED_ONCE __attribute__((noinline))

/* An address, of which the verifier forgets what it points to: a negated pointer is a number to it. */
static __always_inline __u64 plain(__u64 address) {
    asm volatile("%0 = -%0\n\t%0 = -%0" : "+r"(address));
    return address;
}
