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
