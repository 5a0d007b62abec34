/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Histograms of times: bounds are 1000 * 2^k nanoseconds; a value equal to a bound falls into that bound's bucket. */
#pragma once

#include "kernel.bpf.h"

/* Index of the highest bit that is set; 0 for 0 and 1. */
static __always_inline __u32 log2_floor(__u64 value) {
    __u32 result = 0;
    if (value >> 32) {
        value >>= 32;
        result += 32;
    }
    if (value >> 16) {
        value >>= 16;
        result += 16;
    }
    if (value >> 8) {
        value >>= 8;
        result += 8;
    }
    if (value >> 4) {
        value >>= 4;
        result += 4;
    }
    if (value >> 2) {
        value >>= 2;
        result += 2;
    }
    return result + (__u32)(value >> 1);
}

/*
 * Smallest k with ns <= 1000 * 2^k, at most `buckets` - 1; without a division, since 1000 * 2^k = 125 * 2^(k+3):
 * ns - 1 < 1000 * 2^k is (ns - 1) / 8 < 125 * 2^k, and 125 is just below 2^7.
 */
static __always_inline __u32 time_bucket(__u64 ns, __u32 buckets) {
    __u64 eighths = ns ? (ns - 1) >> 3 : 0;
    __u32 top = log2_floor(eighths);
    __u32 k = top > 6 ? top - 6 : 0;
    if (eighths >= (125ULL << (k & 63)))
        k++;
    return k < buckets - 1 ? k : buckets - 1;
}
