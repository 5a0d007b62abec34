/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Buckets of time histograms: bounds are 1000 * 2^k nanoseconds; a value equal to a bound falls into that
 * bound's bucket. Pure; shared so that the host's tests run the very code of the kernel programs.
 */
#pragma once

#include "types.h"

/*
 * Smallest k with ns <= 1000 * 2^k, at most `buckets` - 1. Most times are a few microseconds, where trying
 * bound after bound takes a fraction of what BPF needs for a logarithm (it has no instruction for that, nor a
 * cheap division).
 */
static inline __attribute__((always_inline)) __u32 time_bucket(__u64 ns, __u32 buckets) {
    __u64 bound = 1000;
    __u32 k = 0;
    while (k < buckets - 1 && ns > bound) {
        bound <<= 1;
        k++;
    }
    return k;
}

/* The same for times that are mostly long: waits take milliseconds to minutes. */
static inline __attribute__((always_inline)) __u32 long_time_bucket(__u64 ns, __u32 buckets) {
    __u64 us = ns ? (ns - 1) / 1000 : 0; /* of ns <= 1000 * 2^k: us < 2^k */
    __u32 k = 0;
    for (__u32 step = 16; step > 0; step >>= 1) {
        if (us >> (k + step - 1)) { /* us >= 2^(k + step - 1): at least `step` more bits */
            k += step;
        }
    }
    return k < buckets - 1 ? k : buckets - 1;
}
