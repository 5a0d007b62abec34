// SPDX-License-Identifier: Apache-2.0
// The kernel's text files. The first line says which file it is, the rest is its content: what is read from
// it is the same after writing it down as the kernel would, numbers are what their digits say, and counters
// never go back.
#include <algorithm>
#include <string>
#include <vector>

#include "containers/cgroup_tree.h"
#include "core/interface_counters.h"
#include "files/mounts.h"
#include "files/net_dev.h"
#include "files/parse.h"
#include "files/process_files.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"

namespace plimsoll::fuzz {
namespace {

/// What digits say: the largest number is known by its digits, so that no arithmetic can overflow.
std::optional<std::uint64_t> by_digits(std::string_view text) {
    constexpr std::string_view kLargest = "18446744073709551615";
    text = text.substr(0, text.find_last_not_of(" \t\n") + 1);
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
    if (text.size() > kLargest.size() || (text.size() == kLargest.size() && text > kLargest)) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

void check_numbers(std::string_view text) {
    require(parse_number(text) == by_digits(text), "a number is what its digits say");
    const bool max = text == "max" || text == "max\n";
    require(parse_limit(text) == (max ? UINT64_MAX : by_digits(text)), "a limit is a number or max");
    if (const auto max_line = parse_cpu_max(text)) {
        const auto quota = max_line->quota_us == UINT64_MAX ? "max" : std::to_string(max_line->quota_us);
        const auto again = parse_cpu_max(quota + " " + std::to_string(max_line->period_us) + "\n");
        require(again && again->quota_us == max_line->quota_us && again->period_us == max_line->period_us,
                "cpu.max survives writing");
    }
}

void check_lines(std::string_view text) {
    std::string joined;
    for (std::string_view rest = text; const auto line = take_line(rest);) {
        joined += std::string(*line) + '\n';
        for (std::string_view words = *line; const auto word = take_word(words);) {
            require(!word->empty() && word->find_first_of(" \t\n") == std::string_view::npos,
                    "a word has no blanks");
        }
    }
    require(joined == text || joined == std::string(text) + '\n', "lines are the text");
}

void check_keyed(std::string_view text) {
    for (std::string_view rest = text; const auto entry = take_keyed(rest);) {
        std::string line = std::string(entry->key) + " " + std::to_string(entry->value) + "\n";
        std::string_view again = line;
        const auto same = take_keyed(again);
        require(same && same->key == entry->key && same->value == entry->value, "an entry survives writing");
    }
    for (std::string_view rest = text; const auto entry = take_machine(rest);) {
        require(!entry->key.empty(), "an entry of the machine has a key");
    }
}

void check_devices(std::string_view text) {
    const auto number = [](DeviceNumber device) {
        return std::to_string(device.major) + ":" + std::to_string(device.minor);
    };
    for (std::string_view rest = text; const auto io = take_io(rest);) {
        const std::string bytes =
            " rbytes=" + std::to_string(io->read_bytes) + " wbytes=" + std::to_string(io->write_bytes);
        const std::string calls =
            " rios=" + std::to_string(io->reads) + " wios=" + std::to_string(io->writes);
        for (const auto& line : {number(io->device) + bytes + calls + " dbytes=0 dios=0\n",
                                 number(io->device) + calls + " dbytes=0" + bytes + "\n"}) {
            std::string_view again = line;
            const auto same = take_io(again);
            require(same && same->device == io->device && same->read_bytes == io->read_bytes &&
                        same->write_bytes == io->write_bytes && same->reads == io->reads &&
                        same->writes == io->writes,
                    "a line of io.stat survives writing");
        }
    }
    for (std::string_view rest = text; const auto io = take_blkio(rest);) {
        const std::string line =
            number(io->device) + (io->write ? " Write " : " Read ") + std::to_string(io->value) + "\n";
        std::string_view again = line;
        const auto same = take_blkio(again);
        require(same && same->device == io->device && same->write == io->write && same->value == io->value,
                "a line of blkio survives writing");
    }
}

void check_pressure(std::string_view text) {
    const Pressure found = parse_pressure(text);
    std::string written;
    for (const auto& [kind, total] : {std::pair("some", found.some_us), std::pair("full", found.full_us)}) {
        written += total ? std::string(kind) +
                               " avg10=0.00 avg60=0.00 avg300=0.00 total=" + std::to_string(*total) + "\n"
                         : "";
    }
    const Pressure again = parse_pressure(written);
    require(again.some_us == found.some_us && again.full_us == found.full_us, "pressure survives writing");
}

std::string escaped(std::string_view field) {
    std::string out;
    for (const char c : field) {
        const auto code = static_cast<unsigned char>(c);
        const bool plain = c != ' ' && c != '\t' && c != '\n' && c != '\\';
        out += plain ? std::string{c}
                     : std::string{'\\', static_cast<char>('0' + code / 64),
                                   static_cast<char>('0' + code / 8 % 8), static_cast<char>('0' + code % 8)};
    }
    return out;
}

void check_mount(const Mount& mount) {
    const auto again = parse_mount("1 2 " + mount.number + " " + escaped(mount.root) + " " +
                                   escaped(mount.point) + " rw shared:1 - " + escaped(mount.type) + " " +
                                   escaped(mount.source) + " " + mount.options);
    require(again && again->number == mount.number && again->root == mount.root &&
                again->point == mount.point && again->type == mount.type && again->source == mount.source &&
                again->options == mount.options,
            "a mount survives writing");
    require(mount.point.starts_with('/'), "a mount point is an absolute path");
    for (const auto* option : {"upperdir", "lowerdir"}) {
        require(mount_option(mount, option).size() <= mount.options.size(),
                "options are no more than their text");
    }
    static_cast<void>(is_remote(mount.type));
    require(!device_name(mount).empty() || mount.type.empty(), "a device is called something");
}

void check_mountinfo(std::string_view text) {
    for (std::string_view rest = text; const auto line = take_line(rest);) {
        if (const auto mount = parse_mount(*line)) {
            check_mount(*mount);
        }
    }
    const auto root = root_mount(text), on_root = mount_of(text, "/");
    require(root.has_value() == on_root.has_value() && (!root || root->number == on_root->number),
            "the root is on the root's mount");
    const auto layout = layout_in(text, "mountinfo");
    if (!layout) {
        return require(layout.error().message.find('\n') == std::string::npos, "a refusal is one line");
    }
    require(layout->mount.starts_with('/'), "a hierarchy is mounted at an absolute path");
    require(layout->v2 != !layout->controller.empty(), "v1 has a controller, v2 none");
    const auto* by_controller = layout->v2 ? nullptr : layout->with_controller(layout->controller);
    require(layout->v2 || (by_controller && by_controller->mount == layout->mount),
            "it is that controller's");
}

/// Several readings of net/dev with a NUL between them.
void check_net_dev(Input readings) {
    InterfaceCounters counters;
    auto before = counters.all();
    for (std::uint64_t reading = 0; !readings.empty() && reading < 8; ++reading) {
        const auto interfaces = parse_net_dev(readings.field('\0'));
        if (!interfaces) {
            continue;
        }
        std::string written = "Inter-|\n face |\n";
        for (const auto& interface : *interfaces) {
            require(!interface.name.empty(), "an interface has a name");
            written += std::string(interface.name) + ":";
            for (std::size_t i = 0; i < 16; ++i) {
                written += " " + std::to_string(i % 8 < 4 ? interface.counters[i / 8 * 4 + i % 8] : 0);
            }
            written += "\n";
        }
        const auto again = parse_net_dev(written);
        require(again && std::ranges::equal(*again, *interfaces,
                                            [](const auto& a, const auto& b) {
                                                return a.name == b.name && a.counters == b.counters;
                                            }),
                "net/dev survives writing");
        const bool likely = std::ranges::all_of(*interfaces, [](const NetInterface& interface) {
            return std::ranges::max(interface.counters) < UINT64_MAX / 16;
        });
        if (likely) {  // sums beyond 64 bits begin anew, as the kernel's own do
            counters.update({1, reading / 3}, *interfaces);
        }
        require(counters.all().size() <= InterfaceCounters::kMost, "interfaces are bounded");
        for (const auto& [name, interface] : counters.all()) {
            const auto known = before.find(name);
            for (std::size_t i = 0; known != before.end() && i < NetColumn::count; ++i) {
                require(interface.shown[i] >= known->second.shown[i],
                        "an interface's counters never go back");
            }
        }
        before = counters.all();
    }
}

void check_process_files(std::string_view text) {
    const auto pids = parse_pids(text);
    require(std::ranges::is_sorted(pids) && (pids.empty() || pids.front() > 0),
            "pids are positive and in order");
    std::string written;
    for (const int pid : pids) {
        written += std::to_string(pid) + "\n";
    }
    require(parse_pids(written) == pids, "pids survive writing");
    for (const auto* controller : {"", "memory", "cpuacct"}) {
        const auto path = path_in(text, controller);
        require(path.find('\n') == std::string_view::npos, "a path is on one line");
        const std::string line = "4:" + std::string(controller) + ":" + std::string(path) + "\n";
        require(path_in(line, controller) == path, "a path survives writing");
        require(is_within(path, path) && is_within(path, "/"), "a cgroup is in itself and in the root");
        require(is_within(std::string(path) + "/x", path), "what is below a cgroup is in it");
    }
    if (const auto ticks = parse_start_ticks(text)) {
        const auto stat =
            "1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(*ticks) + " 0\n";
        require(parse_start_ticks(stat) == ticks, "a start time survives writing");
    }
    const auto device = device_in(text);
    require(device_in("MAJOR=8\nDEVNAME=" + std::string(device) + "\nDEVTYPE=disk\n") == device,
            "a device's name survives writing");
}

}  // namespace

void kernel_files(std::string_view input) {
    Input fields(input);
    const auto file = fields.field();
    const auto text = fields.rest();
    check_lines(text);
    if (file == "number") {
        check_numbers(text);
    } else if (file == "keyed") {
        check_keyed(text);
    } else if (file == "io") {
        check_devices(text);
    } else if (file == "pressure") {
        check_pressure(text);
    } else if (file == "mountinfo") {
        check_mountinfo(text);
    } else if (file == "net_dev") {
        check_net_dev(fields);
    } else if (file == "process") {
        check_process_files(text);
    }
}

}  // namespace plimsoll::fuzz
