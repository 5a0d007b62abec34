// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_MAIN
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>

#include "containers/cgroup_tree.h"
#include "kernel/features.h"

namespace {

/// Ends the run before its first test where no test can work, and says so.
struct Requirements : Catch::TestEventListenerBase {
    using TestEventListenerBase::TestEventListenerBase;
    void testRunStarting(const Catch::TestRunInfo&) override {
        if (std::getenv("PLIMSOLL_TEST_DEBUG") == nullptr) {  // then libbpf says what the verifier said
            plimsoll::route_libbpf_messages();
        }
        const auto layout = plimsoll::detect_layout();
        const char* missing = geteuid() != 0           ? "needs root"
                              : !layout || !layout->v2 ? "needs a cgroup2 mount"
                                                       : nullptr;
        if (missing != nullptr) {
            std::printf("SKIPPED: bpf: %s\n", missing);
            std::exit(0);
        }
    }
};

}  // namespace

CATCH_REGISTER_LISTENER(Requirements)
