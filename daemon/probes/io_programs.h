// SPDX-License-Identifier: Apache-2.0
// Which of probe io's kernel programs are loaded: there are two ways to see a call, and kernels differ in
// io_uring's hooks.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "core/error.h"
#include "kernel/features.h"

struct io_bpf;  // NOLINT(readability-identifier-naming): the name that bpftool gives

namespace plimsoll {

/// The ways to try, in this order.
std::vector<IoMethod> io_methods(IoMethod configured);

/// Why this kernel cannot do it by this method; empty: it may.
std::string io_method_missing(IoMethod method, const KernelTypes& types);

void choose_io_programs(const io_bpf& skeleton, IoMethod method, bool latency, const KernelTypes& types);

}  // namespace plimsoll
