// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/names.h"
#include "config/rules.h"
#include "config/unknown_key.h"
#include "parse_test_support.h"

namespace plimsoll {
namespace {

using config_test::errors_of;
using config_test::parsed;

const std::string kProbes = [] {
    std::string names;
#define PLIMSOLL_PROBE(name) names += names.empty() ? #name : ", " #name;
#include "probes/list.inc"
#undef PLIMSOLL_PROBE
    return names;
}();

constexpr const char* kDocumented = PLIMSOLL_SOURCE_DIR "/config/plimsoll.yaml";

std::string documented_text() {
    std::ifstream file(kDocumented);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Each path below the node, with dots: of values and of sections alike.
void collect_paths(const Node& node, const std::string& prefix, std::vector<std::string>& paths) {
    if (node.kind != Node::Kind::mapping)
        return;
    for (const Node& child : node.children) {
        paths.push_back(prefix + child.key);
        collect_paths(child, paths.back() + ".", paths);
    }
}

TEST_CASE("config/plimsoll.yaml shows every key, at its default") {
    const auto config = load_config(kDocumented);
    REQUIRE(config.has_value());
    CHECK(*config == default_config());

    Problems problems;
    std::vector<std::string> paths;
    collect_paths(*read_yaml(documented_text(), problems), "", paths);
    for (const auto key : known_keys()) {
        INFO(key);
        CHECK(std::ranges::count(paths, key) == 1);
    }
    for (const auto part : known_rule_parts()) {
        INFO(part);
        CHECK(documented_text().find("  #   " + std::string(part) + ": ") != std::string::npos);
    }
    for (const auto part : known_cgroup_parts()) {
        INFO(part);
        CHECK_THAT(documented_text(), Catch::Contains("`" + std::string(part) + "`"));
    }
}

TEST_CASE("each word of an enum is documented in config/plimsoll.yaml and reads back as what it was") {
    const std::string text = documented_text();
    for (const auto runtime : kRuntimes) {
        CHECK(parse_runtime(to_string(runtime)) == runtime);
        CHECK_THAT(text, Catch::Contains(std::string(to_string(runtime))));
    }
    for (const auto level : kLogLevels) {
        CHECK(parse_log_level(to_string(level)) == level);
        CHECK_THAT(text, Catch::Contains(std::string(to_string(level))));
    }
    for (const auto format : kLogFormats) {
        CHECK(parse_log_format(to_string(format)) == format);
        CHECK_THAT(text, Catch::Contains(std::string(to_string(format)) + ": "));
    }
    for (const auto kind : kEventChannelKinds) {
        CHECK(parse_event_channel_kind(to_string(kind)) == kind);
        CHECK_THAT(text, Catch::Contains(std::string(to_string(kind)) + ": "));
    }
    for (const auto method : kIoMethods) {
        CHECK(parse_io_method(to_string(method)) == method);
        CHECK_THAT(text, Catch::Contains(std::string(to_string(method)) + ": "));
    }
    CHECK_FALSE(parse_runtime("rkt"));
    CHECK_FALSE(parse_log_level(""));
}

TEST_CASE("an unknown key is refused with the closest one and all that are allowed") {
    CHECK(
        errors_of("wep: 1\ncontainers:\n  maximum: 3\n  root: {}\n  zzz: ~\n  roots: {dockr: /x}\nprobes: "
                  "{ledgers: {}}\n"
                  "log.level: info\n") ==
        ConfigErrors{
            "c.yaml:1:1: unknown key \"wep\" (did you mean \"web\"?); allowed: web, containers, events, "
            "probes, smoothing, peers, self, log",
            "c.yaml:3:3: unknown key \"maximum\" in containers; allowed: discover, include, exclude, "
            "cgroups, labels, "
            "roots, max, linger",
            "c.yaml:4:3: unknown key \"root\" in containers (did you mean \"roots\"?); allowed: discover, "
            "include, exclude, "
            "cgroups, labels, roots, max, linger",
            "c.yaml:5:3: unknown key \"zzz\" in containers; allowed: discover, include, exclude, cgroups, "
            "labels, "
            "roots, max, linger",
            "c.yaml:6:11: unknown key \"dockr\" in containers.roots (did you mean \"docker\"?); allowed: "
            "docker, containerd, "
            "podman, crio",
            "c.yaml:7:10: unknown key \"ledgers\" in probes (did you mean \"ledger\"?); allowed: " + kProbes,
            "c.yaml:8:1: unknown key \"log.level\"; allowed: web, containers, events, probes, smoothing, "
            "peers, self, log"});
}

TEST_CASE("keys of features that do not exist yet are unknown keys") {
    for (const auto* text : {"web: {tls: {}}"}) {
        const auto lines = errors_of(text);
        REQUIRE(lines.size() == 1);
        CHECK_THAT(lines[0], Catch::Contains(": unknown key "));
    }
}

TEST_CASE("a section must be a mapping") {
    CHECK(
        errors_of("web: 5\nlog: []\nprobes: {ledger: true}\ncontainers: {roots: /x}") ==
        ConfigErrors{
            "c.yaml:1:6: web: \"5\"; allowed: a mapping of listen, config_file",
            "c.yaml:2:6: log: a list; allowed: a mapping of level, format",
            "c.yaml:3:18: probes.ledger: \"true\"; allowed: a mapping of enabled, required",
            "c.yaml:4:21: containers.roots: \"/x\"; allowed: a mapping of docker, containerd, podman, crio"});
    CHECK(errors_of("just text") ==
          ConfigErrors{"c.yaml:1:1: the file is not a mapping; allowed: web, containers, events, "
                       "probes, smoothing, peers, self, log"});
    CHECK(errors_of("\n- a") ==
          ConfigErrors{"c.yaml:2:1: the file is not a mapping; allowed: web, containers, events, "
                       "probes, smoothing, peers, self, log"});
}

TEST_CASE("rules and cgroups report each of their problems in its place") {
    CHECK(errors_of(R"(containers:
  include:
    - {}
    - {label: {}}
    - text
    - {nam: x}
    - {name: "", image: "[", runtime: rkt, cgroup: a/b, label: {a: [], b: "[x"}}
    - {label: x}
  exclude: {name: x}
  cgroups:
    - {name: x}
    - {path: rel, name: ""}
    - path:
)") == ConfigErrors{
           "c.yaml:3:7: containers.include[0]: a rule without any part; allowed: a mapping of name, image, "
           "runtime, "
           "cgroup, label, connects_to",
           "c.yaml:4:7: containers.include[1]: a rule without any part; allowed: a mapping of name, image, "
           "runtime, "
           "cgroup, label, connects_to",
           "c.yaml:5:7: containers.include[2]: \"text\"; allowed: a mapping of name, image, runtime, cgroup, "
           "label, connects_to",
           "c.yaml:6:8: unknown key \"nam\" in containers.include[3] (did you mean \"name\"?); allowed: "
           "name, "
           "image, "
           "runtime, cgroup, label, connects_to",
           "c.yaml:7:14: containers.include[4].name: the quoted text \"\"; allowed: a glob: text with *, ?, "
           "[a-z] or "
           "[!a-z]",
           "c.yaml:7:25: containers.include[4].image: the quoted text \"[\"; allowed: a glob: text with *, "
           "?, [a-z] "
           "or [!a-z]",
           "c.yaml:7:39: containers.include[4].runtime: \"rkt\"; allowed: docker, containerd, crio, podman, "
           "kubernetes, lxc, nspawn, systemd, cgroup",
           "c.yaml:7:52: containers.include[4].cgroup: \"a/b\"; allowed: a glob over a cgroup path, "
           "beginning with / "
           "or *, with *, **, ?, [a-z] or [!a-z]",
           "c.yaml:7:68: containers.include[4].label.a: a list; allowed: a glob: text with *, ?, [a-z] or "
           "[!a-z]",
           "c.yaml:7:75: containers.include[4].label.b: the quoted text \"[x\"; allowed: a glob: text with "
           "*, ?, "
           "[a-z] or [!a-z]",
           "c.yaml:8:15: containers.include[5].label: \"x\"; allowed: a mapping of label names to globs",
           "c.yaml:9:12: containers.exclude: a mapping; allowed: a list, each a mapping of name, image, "
           "runtime, "
           "cgroup, label",
           "c.yaml:11:7: containers.cgroups[0]: an entry without a path; allowed: a mapping of path, name",
           "c.yaml:12:14: containers.cgroups[1].path: \"rel\"; allowed: a glob over a cgroup path, beginning "
           "with / or "
           "*, with *, **, ?, [a-z] or [!a-z]",
           "c.yaml:12:25: containers.cgroups[1].name: the quoted text \"\"; allowed: text that is not empty",
           "c.yaml:13:7: containers.cgroups[2].path: no value; allowed: a glob over a cgroup path, beginning "
           "with / or "
           "*, with *, **, ?, [a-z] or [!a-z]"});
}

TEST_CASE("problems of every kind are reported together, in the order of the file") {
    CHECK(
        errors_of("log: {level: x}\nweb: &a {listen: 1}\nlog: {}\nself: *a\nx: !t y\n") ==
        ConfigErrors{
            "c.yaml:1:14: log.level: \"x\"; allowed: trace, debug, info, warn, error",
            "c.yaml:2:6: anchors (&name) are not allowed; write the value out where it is used",
            "c.yaml:2:18: web.listen: \"1\"; allowed: host:port, [v6 address]:port or :port, port 0 to 65535",
            "c.yaml:3:1: duplicate key \"log\"; it is already in line 1",
            "c.yaml:4:7: aliases (*name) are not allowed; write the value out",
            "c.yaml:5:1: unknown key \"x\"; allowed: web, containers, events, probes, smoothing, peers, "
            "self, log",
            "c.yaml:5:4: tags (!name) are not allowed; leave the tag out"});
}

TEST_CASE("a hundred problems are enough, the rest is counted") {
    std::string text;
    for (int i = 0; i < 123; ++i)
        text += "k" + std::to_string(i) + ": 1\n";
    const auto lines = errors_of(text);
    REQUIRE(lines.size() == 101);
    CHECK_THAT(lines[99], Catch::StartsWith("c.yaml:100:1: unknown key \"k99\""));
    CHECK(lines[100] == "c.yaml: 23 more problems");
}

TEST_CASE("the closest word is one that a slip of the pen explains") {
    const std::vector<std::string_view> words{"max", "linger", "labels", "roots"};
    CHECK(closest_word("mex", words) == "max");
    CHECK(closest_word("liger", words) == "linger");
    CHECK(closest_word("lable", words) == "labels");
    CHECK(closest_word("root", words) == "roots");
    CHECK(closest_word("x", words).empty());
    CHECK(closest_word("", words).empty());
    CHECK(closest_word("containers", words).empty());
    CHECK(closest_word(std::string(60000, 'x'), words).empty());
}

}  // namespace
}  // namespace plimsoll
