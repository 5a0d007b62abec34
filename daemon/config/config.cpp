// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

namespace plimsoll {

Config default_config() {
    Config config;
#define PLIMSOLL_PROBE(name) config.probes.try_emplace(#name);
#include "probes/list.inc"
#undef PLIMSOLL_PROBE
    return config;
}

}  // namespace plimsoll
