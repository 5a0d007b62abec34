// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_RUNNER
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdio>

#include "containers/cgroup_tree.h"

int main(int argc, char** argv) {
    const auto layout = plimsoll::detect_layout();
    const char* missing = geteuid() != 0           ? "needs root"
                          : !layout || !layout->v2 ? "needs a cgroup2 mount"
                                                   : nullptr;
    if (missing != nullptr) {
        std::printf("SKIPPED: bpf: %s\n", missing);
        return 0;
    }
    return Catch::Session().run(argc, argv);
}
