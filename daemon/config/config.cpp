// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

namespace plimsoll {

Config default_config() {
    Config config;
#define PLIMSOLL_PROBE(name) config.probes.try_emplace(#name);
#define PLIMSOLL_PROBE_OFF(name) config.probes.try_emplace(#name, ProbeConfig{.enabled = false});
#include "probes/list.inc"
#undef PLIMSOLL_PROBE
    return config;
}

}  // namespace plimsoll
