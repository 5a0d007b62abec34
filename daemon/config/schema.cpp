// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "config/names.h"
#include "config/peers.h"
#include "config/rules.h"
#include "config/unknown_key.h"
#include "config/values.h"

namespace plimsoll {
namespace {

constexpr unsigned kMostContainers = 65536;
constexpr DurationRange kLinger{std::chrono::seconds(0), std::chrono::hours(24), "0s to 24h"};
constexpr DurationRange kTick{std::chrono::milliseconds(10), std::chrono::seconds(10), "10ms to 10s"};
constexpr DurationRange kWindow{std::chrono::milliseconds(100), std::chrono::hours(1), "100ms to 1h"};
constexpr std::size_t kMostWindows = 5;
constexpr unsigned kMostPeers = 1000;

void read_listen(const Value& value, std::vector<std::string>& out) {
    if (value.node.kind == Node::Kind::sequence && value.node.children.empty())
        return value.refuse("an empty list",
                            std::string("at least one ") + std::string(kListenAddress.allowed));
    read_texts(value, kListenAddress, true, out);
    refuse_repeats(value);
}

void read_file(const Value& value, std::string& out) {
    const bool none = value.node.kind == Node::Kind::scalar && value.node.text.empty();
    out = none ? "" : read_text(value, kAnyText).value_or("");
}

void read_discover(const Value& value, std::vector<Runtime>& out) {
    if (value.node.kind != Node::Kind::sequence)
        return value.refuse_it("a list of runtimes");
    out.clear();
    for (const Value& item : read_items(value))
        if (const auto runtime = read_name(item, kDiscoverable))
            out.push_back(*runtime);
    refuse_repeats(value);
}

void read_roots(const Value& value, std::vector<std::string>& out) {
    read_texts(value, kAbsolutePath, true, out);
}

template <typename Names, typename Enum>
void read_enum(const Value& value, const Names& names, Enum& out) {
    out = read_name(value, names).value_or(out);
}

struct Key {
    std::string_view path;
    void (*read)(const Value& value, Config& config);
};

constexpr Key kKeys[] = {
    {"web.listen", [](const Value& value, Config& config) { read_listen(value, config.web.listen); }},
    {"web.config_file", [](const Value& value, Config& config) { read_file(value, config.web.config_file); }},
    {"containers.discover",
     [](const Value& value, Config& config) { read_discover(value, config.containers.discover); }},
    {"containers.include",
     [](const Value& value, Config& config) { read_include_rules(value, config.containers.include); }},
    {"containers.exclude",
     [](const Value& value, Config& config) { read_exclude_rules(value, config.containers.exclude); }},
    {"containers.cgroups",
     [](const Value& value, Config& config) { read_cgroup_rules(value, config.containers.cgroups); }},
    {"containers.labels",
     [](const Value& value, Config& config) { read_texts(value, kGlob, false, config.containers.labels); }},
    {"containers.roots.docker",
     [](const Value& value, Config& config) { read_roots(value, config.containers.roots.docker); }},
    {"containers.roots.containerd",
     [](const Value& value, Config& config) { read_roots(value, config.containers.roots.containerd); }},
    {"containers.roots.podman",
     [](const Value& value, Config& config) { read_roots(value, config.containers.roots.podman); }},
    {"containers.roots.crio",
     [](const Value& value, Config& config) { read_roots(value, config.containers.roots.crio); }},
    {"containers.max", [](const Value& value,
                          Config& config) { read_count(value, config.containers.max, 1, kMostContainers); }},
    {"containers.linger",
     [](const Value& value, Config& config) { read_duration(value, kLinger, config.containers.linger); }},
    {"events.channel",
     [](const Value& value, Config& config) { read_enum(value, kEventChannelKinds, config.events_channel); }},
#define PLIMSOLL_PROBE(name)                                                                      \
    {"probes." #name ".enabled",                                                                  \
     [](const Value& value, Config& config) { read_bool(value, config.probes[#name].enabled); }}, \
        {"probes." #name ".required",                                                             \
         [](const Value& value, Config& config) { read_bool(value, config.probes[#name].required); }},
#include "probes/list.inc"
#undef PLIMSOLL_PROBE
    {"probes.io.method",
     [](const Value& value, Config& config) { read_enum(value, kIoMethods, config.io.method); }},
    {"probes.io.latency", [](const Value& value, Config& config) { read_bool(value, config.io.latency); }},
    {"smoothing.tick",
     [](const Value& value, Config& config) { read_duration(value, kTick, config.smoothing.tick); }},
    {"smoothing.windows",
     [](const Value& value, Config& config) {
         read_durations(value, kWindow, kMostWindows, config.smoothing.windows);
     }},
    {"peers.max",
     [](const Value& value, Config& config) { read_count(value, config.peers.max, 1, kMostPeers); }},
    {"peers.names", [](const Value& value, Config& config) { read_peer_names(value, config.peers.names); }},
    {"peers.networks",
     [](const Value& value, Config& config) { read_peer_networks(value, config.peers.networks); }},
    {"self.bpf_stats", [](const Value& value, Config& config) { read_bool(value, config.self_bpf_stats); }},
    {"log.level", [](const Value& value, Config& config) { read_enum(value, kLogLevels, config.log_level); }},
    {"log.format",
     [](const Value& value, Config& config) { read_enum(value, kLogFormats, config.log_format); }},
};

/// What can stand below a section ("" for the top, "containers.roots."): the next word of each key in it.
std::vector<std::string_view> words_below(std::string_view section) {
    std::vector<std::string_view> words;
    for (const Key& key : kKeys) {
        if (!key.path.starts_with(section))
            continue;
        std::string_view word = key.path.substr(section.size());
        word = word.substr(0, word.find('.'));
        if (std::ranges::find(words, word) == words.end())
            words.push_back(word);
    }
    return words;
}

void apply_section(const Value& value, Config& config) {
    const std::string section = value.path.empty() ? "" : value.path + ".";
    const auto words = words_below(section);
    if (value.node.kind == Node::Kind::null)
        return;  // all its keys may be commented out
    if (value.node.kind != Node::Kind::mapping)
        return value.refuse_it("a mapping of " + joined(words));
    for (const Node& child : value.node.children) {
        const Value entry{child, section + child.key, value.problems};
        if (std::ranges::find(words, child.key) == words.end())
            refuse_unknown_key(child, value.path, words, value.problems);
        else if (const auto* key = std::ranges::find(kKeys, entry.path, &Key::path); key != std::end(kKeys))
            key->read(entry, config);
        else
            apply_section(entry, config);
    }
}

}  // namespace

void apply_tree(const Node& root, Config& config, Problems& problems) {
    if (root.kind == Node::Kind::scalar || root.kind == Node::Kind::sequence)
        problems.push_back({root.at, "the file is not a mapping; allowed: " + joined(words_below(""))});
    else
        apply_section({root, "", problems}, config);
}

std::vector<std::string_view> known_keys() {
    std::vector<std::string_view> paths;
    for (const Key& key : kKeys)
        paths.push_back(key.path);
    return paths;
}

}  // namespace plimsoll
