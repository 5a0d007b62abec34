// SPDX-License-Identifier: Apache-2.0
#include "probes/probe.h"

namespace plimsoll {

std::vector<std::unique_ptr<Probe>> make_probes() {
    std::vector<std::unique_ptr<Probe>> probes;
#define PLIMSOLL_PROBE(name) probes.push_back(make_##name##_probe());
#include "probes/list.inc"
#undef PLIMSOLL_PROBE
    return probes;
}

}  // namespace plimsoll
