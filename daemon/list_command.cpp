// SPDX-License-Identifier: Apache-2.0
#include "list_command.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/connection_address.h"
#include "containers/cgroup_tree.h"
#include "containers/selector.h"
#include "exposition/utf8.h"

namespace plimsoll {
namespace {

constexpr std::size_t kColumns = 6;
using Row = std::array<std::string, kColumns>;

/// Characters that reorder or hide the text around them, which would let one name pass for another.
bool misleads(std::string_view character) {
    // UTF-8 of one length sorts like the code points.
    const auto within = [&](std::string_view first, std::string_view last) {
        return character.size() == first.size() && character >= first && character <= last;
    };
    // NOLINTNEXTLINE(misc-misleading-bidirectional): these are what is looked for
    return within("\u200b", "\u200f") || within("\u2028", "\u202e") || within("\u2060", "\u206f") ||
           character == "\ufeff";
}

std::string printable(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        const auto character = take_character(text).text;
        const bool harmless = character != "\n" && character != "\t" && !misleads(character);
        safe += harmless ? character : kReplacementCharacter;
    }
    return safe.empty() ? "-" : safe;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

void print_table(std::span<const Container> containers, std::ostream& out) {
    constexpr std::size_t kShownId = 12;
    std::vector<Row> rows{{"CGROUP", "RUNTIME", "ID", "NAME", "IMAGE", "RULE"}};
    for (const Container& container : containers) {
        rows.push_back({printable(container.cgroup), std::string(to_string(container.runtime)),
                        printable(std::string_view(container.id).substr(0, kShownId)),
                        printable(container.name), printable(container.image), printable(container.rule)});
    }
    std::array<std::size_t, kColumns> widths{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < kColumns; ++i) {
            widths[i] = std::max(widths[i], width(row[i]));
        }
    }
    for (const Row& row : rows) {
        for (std::size_t i = 0; i + 1 < kColumns; ++i) {
            out << row[i] << std::string(widths[i] - width(row[i]) + 2, ' ');
        }
        out << row.back() << '\n';
    }
}

void print_json(std::span<const Container> containers, std::ostream& out) {
    auto list = nlohmann::ordered_json::array();
    for (const Container& container : containers) {
        list.push_back({{"cgroup", container.cgroup},
                        {"runtime", to_string(container.runtime)},
                        {"id", container.id},
                        {"name", container.name},
                        {"image", container.image},
                        {"rule", container.rule}});
    }
    out << list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace

void print_containers(std::span<const Container> containers, bool json, std::ostream& out) {
    json ? print_json(containers, out) : print_table(containers, out);
}

int run_list(const Config& config, bool json, std::ostream& out, std::ostream& errors) {
    const auto layout = detect_layout();
    if (!layout) {
        errors << "plimsoll list: " << layout.error().message << '\n';
        return 1;
    }
    const Selector selector(config.containers);
    std::vector<Container> containers;
    const auto walked = walk(*layout, [&](std::string_view path, std::uint64_t) {
        if (auto container = selector.select(path)) {
            containers.push_back(std::move(*container));
        }
    });
    if (!walked) {
        errors << "plimsoll list: " << walked.error().message << '\n';
        return 1;
    }
    if (walked->skipped > 0) {
        errors << "plimsoll list: " << walked->skipped << " cgroups could not be read and were left out\n";
    }
    if (!connection_targets(config.containers).empty()) {
        errors
            << "plimsoll list: left out is what rules with connects_to select: only the running agent sees "
               "connections, and its page shows these containers\n";
    }
    std::ranges::sort(containers, {}, &Container::cgroup);
    print_containers(containers, json, out);
    return 0;
}

}  // namespace plimsoll
