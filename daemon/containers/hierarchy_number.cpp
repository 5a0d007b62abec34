// SPDX-License-Identifier: Apache-2.0
#include "containers/hierarchy_number.h"

#include <fstream>
#include <limits>

namespace plimsoll {

Result<std::uint32_t> hierarchy_number(std::string_view controller, const std::string& proc_root) {
    std::ifstream file(proc_root + "/cgroups");
    std::string name;
    std::uint32_t number = 0;
    while (file >> name) {
        if (name == controller && file >> number) {
            return number;
        }
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return fail("/proc/cgroups has no controller named " + std::string(controller));
}

}  // namespace plimsoll
