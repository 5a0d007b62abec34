// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include "parse_test_support.h"

namespace plimsoll {
namespace {

using config_test::errors_of;
using config_test::parsed;
using namespace std::chrono_literals;

TEST_CASE("an empty configuration means all defaults, with an entry for each probe") {
    for (const auto* text : {"", "\n\n", "# nothing\n", "---\n", "---\n...\n", "{}",
                             "web:\ncontainers:\n  roots:\n", "\xEF\xBB\xBF", "~"}) {
        INFO(text);
        CHECK(parsed(text) == default_config());
    }
    for (const auto& [name, probe] : default_config().probes) {
        INFO(name);
        CHECK(probe == ProbeConfig{.enabled = name != "descriptors" && name != "io", .required = false});
    }
}

TEST_CASE("every key is read into its place") {
    const Config config = parsed(R"(
web: {listen: ["[::1]:80", ":0"]}
containers:
  discover: [podman, lxc]
  include:
    - {name: web-*, image: "*/nginx:[0-9]*", runtime: docker, cgroup: /system.slice/**, label: {app: "*", "a b": x},
       connects_to: "[2001:db8::1]:5432"}
  exclude: [{runtime: cgroup}]
  cgroups: [{path: /a/*}, {path: "**/b", name: bee}]
  labels: [com.example.*]
  roots: {docker: /d, containerd: [/c1, /c2], podman: [], crio: /cr}
  max: 65536
  linger: 24h
events: {channel: perf}
probes:
  ledger: {enabled: false}
  process: {required: true}
self: {bpf_stats: true}
log: {level: trace, format: journal}
)");
    Config expected = default_config();
    expected.web.listen = {"[::1]:80", ":0"};
    expected.containers.discover = {Runtime::podman, Runtime::lxc};
    expected.containers.include = {{"web-*",
                                    "*/nginx:[0-9]*",
                                    "docker",
                                    "/system.slice/**",
                                    {{"app", "*"}, {"a b", "x"}},
                                    "[2001:db8::1]:5432"}};
    expected.containers.exclude = {{{}, {}, "cgroup", {}, {}, {}}};
    expected.containers.cgroups = {{"/a/*", {}}, {"**/b", "bee"}};
    expected.containers.labels = {"com.example.*"};
    expected.containers.roots = {{"/d"}, {"/c1", "/c2"}, {}, {"/cr"}};
    expected.containers.max = 65536;
    expected.containers.linger = 24h;
    expected.events_channel = EventChannelKind::perf;
    expected.probes["ledger"].enabled = false;
    expected.probes["process"].required = true;
    expected.self_bpf_stats = true;
    expected.log_level = LogLevel::trace;
    expected.log_format = LogFormat::journal;
    CHECK(config == expected);
}

TEST_CASE("one listen address needs no list") {
    CHECK(parsed("web: {listen: '0.0.0.0:9752'}").web.listen == std::vector<std::string>{"0.0.0.0:9752"});
    CHECK(parsed("web: {listen: :65535}").web.listen == std::vector<std::string>{":65535"});
}

TEST_CASE("a listen address that cannot be one is refused") {
    for (const auto* address :
         {"9752", "host", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "1.2.3:1",
          "999.1.1.1:80", "::1:80", "[::1]", "[::1]80", "[:80", "[]:80", "a b:80", "''", "http://x"}) {
        INFO(address);
        const auto lines = errors_of("web: {listen: [\"" + std::string(address) + "\"]}");
        CHECK(lines == ConfigErrors{"c.yaml:1:16: web.listen[0]: the quoted text \"" + std::string(address) +
                                    "\"; allowed: host:port, [v6 address]:port or :port, port 0 to 65535"});
    }
    CHECK(errors_of("web: {listen: []}") ==
          ConfigErrors{
              "c.yaml:1:15: web.listen: an empty list; allowed: at least one host:port, [v6 address]:port "
              "or :port, port 0 to 65535"});
    CHECK(errors_of("web: {listen: [':1', ':1']}") ==
          ConfigErrors{"c.yaml:1:22: web.listen[1]: \":1\" is already in this list; allowed: each once"});
}

TEST_CASE("a duration is a whole number and a unit") {
    CHECK(parse_duration("100ms") == 100ms);
    CHECK(parse_duration("1s") == 1s);
    CHECK(parse_duration("2m") == 2min);
    CHECK(parse_duration("1h") == 1h);
    CHECK(parse_duration("0s") == 0s);
    CHECK(parse_duration("2562047h") == 2562047h);  // the longest that 64 bits of nanoseconds hold
    for (const auto* text :
         {"", "s", "1", "0", "1.5s", "-1s", "+1s", "1 s", "1S", "1d", "1us", "1m30s", "01s", " 1s", "1s ",
          "2562048h", "18446744073709551616s", "99999999999999999999999h"})
        CHECK_FALSE(parse_duration(text));
}

TEST_CASE("linger is 0s to 24h") {
    CHECK(parsed("containers: {linger: 0s}").containers.linger == 0s);
    for (const auto* text : {"86401s", "25h", "60", "1d", "-1s", "[1s]", "{}", "~"}) {
        INFO(text);
        const auto lines = errors_of("containers: {linger: " + std::string(text) + "}");
        REQUIRE(lines.size() == 1);
        CHECK_THAT(lines[0],
                   Catch::EndsWith("; allowed: 0s to 24h, as a whole number with unit ms, s, m or h"));
        CHECK_THAT(lines[0], Catch::StartsWith("c.yaml:1:") && Catch::Contains(": containers.linger: "));
    }
}

TEST_CASE("smoothing has a tick and one to five different windows") {
    const auto smoothing = parsed("smoothing: {tick: 1s, windows: [100ms, 1h]}").smoothing;
    CHECK(smoothing.tick == 1s);
    CHECK(smoothing.windows == std::vector<std::chrono::nanoseconds>{100ms, 1h});
    constexpr auto kUnits = ", as a whole number with unit ms, s, m or h";
    for (const auto* text : {"9ms", "11s", "0s", "5"}) {
        CHECK(errors_of("smoothing: {tick: " + std::string(text) + "}") ==
              ConfigErrors{"c.yaml:1:19: smoothing.tick: \"" + std::string(text) +
                           "\"; allowed: 10ms to 10s" + kUnits});
    }
    const std::string list = "; allowed: a list of 1 to 5 durations";
    CHECK(errors_of("smoothing: {windows: []}") ==
          ConfigErrors{"c.yaml:1:22: smoothing.windows: a list of 0" + list});
    CHECK(errors_of("smoothing: {windows: [1s, 2s, 3s, 4s, 5s, 6s]}") ==
          ConfigErrors{"c.yaml:1:22: smoothing.windows: a list of 6" + list});
    CHECK(errors_of("smoothing: {windows: 1s}") ==
          ConfigErrors{"c.yaml:1:22: smoothing.windows: \"1s\"" + list});
    CHECK(errors_of("smoothing: {windows: [1s, 99ms, 1000ms]}") ==
          ConfigErrors{
              "c.yaml:1:27: smoothing.windows[1]: \"99ms\"; allowed: 100ms to 1h" + std::string(kUnits),
              "c.yaml:1:33: smoothing.windows[2]: \"1000ms\" is already in this list; allowed: each once"});
}

TEST_CASE("max is a whole number from 1 to 65536") {
    CHECK(parsed("containers: {max: 1}").containers.max == 1);
    for (const auto& [text, shown] : std::vector<std::pair<std::string, std::string>>{
             {"0", "\"0\""},
             {"65537", "\"65537\""},
             {"-1", "\"-1\""},
             {"1e3", "\"1e3\""},
             {"0x10", "\"0x10\""},
             {"010", "\"010\""},
             {"5.0", "\"5.0\""},
             {"99999999999999999999", "\"99999999999999999999\""},
             {"\"5\"", "the quoted text \"5\""},
             {"[5]", "a list"},
             {"{}", "a mapping"}}) {
        CHECK(errors_of("containers:\n  max: " + text) ==
              ConfigErrors{"c.yaml:2:8: containers.max: " + shown +
                           "; allowed: a whole number from 1 to 65536"});
    }
    CHECK(errors_of("containers:\n  max:\n  linger: 1s") ==
          ConfigErrors{"c.yaml:2:3: containers.max: no value; allowed: a whole number from 1 to 65536"});
}

TEST_CASE("a switch is true or false and nothing else") {
    for (const auto* text : {"yes", "on", "True", "1", "maybe"})
        CHECK(
            errors_of("self:\n  bpf_stats: " + std::string(text)) ==
            ConfigErrors{"c.yaml:2:14: self.bpf_stats: \"" + std::string(text) + "\"; allowed: true, false"});
    CHECK(errors_of("self: {bpf_stats: 'true'}") ==
          ConfigErrors{"c.yaml:1:19: self.bpf_stats: the quoted text \"true\"; allowed: true, false"});
}

TEST_CASE("a name out of a set must be in the set") {
    CHECK(errors_of("log: {level: loud, format: [text]}\nevents: {channel: ring}\ncontainers: {discover: "
                    "[docker, cgroup]}") ==
          ConfigErrors{"c.yaml:1:14: log.level: \"loud\"; allowed: trace, debug, info, warn, error",
                       "c.yaml:1:28: log.format: a list; allowed: text, json, journal",
                       "c.yaml:2:19: events.channel: \"ring\"; allowed: auto, ringbuf, perf",
                       "c.yaml:3:33: containers.discover[1]: \"cgroup\"; allowed: docker, containerd, crio, "
                       "podman, kubernetes, "
                       "lxc, nspawn, systemd"});
    CHECK(errors_of("containers: {discover: docker}") ==
          ConfigErrors{"c.yaml:1:24: containers.discover: \"docker\"; allowed: a list of runtimes"});
    CHECK(errors_of("containers: {discover: [lxc, docker, lxc]}") ==
          ConfigErrors{
              "c.yaml:1:38: containers.discover[2]: \"lxc\" is already in this list; allowed: each once"});
}

TEST_CASE("roots are absolute paths") {
    CHECK(
        errors_of("containers: {roots: {docker: lib, crio: [/a, '', [/b]], podman: {a: /b}}}") ==
        ConfigErrors{"c.yaml:1:30: containers.roots.docker: \"lib\"; allowed: an absolute path",
                     "c.yaml:1:46: containers.roots.crio[1]: the quoted text \"\"; allowed: an absolute path",
                     "c.yaml:1:50: containers.roots.crio[2]: a list; allowed: an absolute path",
                     "c.yaml:1:65: containers.roots.podman: a mapping; allowed: one or a list, each an "
                     "absolute path"});
}

TEST_CASE("globs of labels must be well-formed") {
    CHECK(errors_of("containers: {labels: ['[a', '', 'ok', '[z-a]']}") ==
          ConfigErrors{
              "c.yaml:1:23: containers.labels[0]: the quoted text \"[a\"; allowed: a glob: text with *, ?, "
              "[a-z] or [!a-z]",
              "c.yaml:1:29: containers.labels[1]: the quoted text \"\"; allowed: a glob: text with *, ?, "
              "[a-z] or [!a-z]",
              "c.yaml:1:39: containers.labels[3]: the quoted text \"[z-a]\"; allowed: a glob: text with *, "
              "?, [a-z] or [!a-z]"});
}

}  // namespace
TEST_CASE("a web configuration is named absolutely, or as seen from the file that names it") {
    CHECK(parsed("web: {config_file: /etc/web.yml}").web.config_file == "/etc/web.yml");
    CHECK(parsed("web: {config_file: web.yml}").web.config_file == "web.yml");
    CHECK(parse_config("web: {config_file: web.yml}", "/etc/plimsoll/plimsoll.yaml")->web.config_file ==
          "/etc/plimsoll/web.yml");
    CHECK(parsed("web: {config_file: ''}").web.config_file.empty());
    CHECK(errors_of("web: {config_file: [web.yml]}") ==
          ConfigErrors{"c.yaml:1:20: web.config_file: a list; allowed: text that is not empty"});
}

}  // namespace plimsoll
