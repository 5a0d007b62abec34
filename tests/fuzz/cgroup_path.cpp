// SPDX-License-Identifier: Apache-2.0
// The grammar of cgroup paths: what it finds is on the path, and the path of a container alone finds the
// same.
#include <algorithm>
#include <string>
#include <tuple>

#include "containers/path_grammar.h"
#include "containers/selector.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"

namespace plimsoll::fuzz {
namespace {

auto identity(const PathMatch& match) {
    return std::tie(match.runtime, match.id, match.name, match.pod_uid, match.user, match.candidate,
                    match.length);
}

bool same(const std::optional<PathMatch>& a, const std::optional<PathMatch>& b) {
    return a.has_value() == b.has_value() && (!a || (identity(*a) == identity(*b) && a->exact == b->exact));
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// Files of runtimes are looked for by the id: it must not lead elsewhere.
void check_id(const PathMatch& match, std::string_view path) {
    const bool unit = match.runtime == Runtime::nspawn;  // its escapes are replaced
    require(!match.id.empty(), "a container has an id");
    require(contains(unit ? unescape_unit(path) : std::string(path), match.id), "the id is part of the path");
    require(match.name.empty() || match.name == match.id, "the name is the id or unknown");
    const bool by_id = match.name.empty();
    require(!by_id || (!contains(match.id, "/") && match.id != "." && match.id != ".."),
            "an id that files are looked for by is the name of one directory");
    require(!by_id || match.candidate ||
                (std::ranges::all_of(match.id, is_hex) && match.id.size() >= 12 && match.id.size() <= 64),
            "a certain id has 12 to 64 hexadecimal digits");
}

void check_match(const PathMatch& match, std::string_view path) {
    require(match.length > 0 && match.length <= path.size(), "the container is on the path");
    require(match.length == path.size() || path[match.length] == '/', "it ends where a directory does");
    require(match.exact == (path.find_first_not_of('/', match.length) == std::string_view::npos),
            "exact: nothing follows");
    check_id(match, path);
    require(std::ranges::all_of(match.user, is_digit), "a user is a number");
    require(match.pod_uid.empty() || (match.pod_uid.size() >= 8 && match.pod_uid.size() <= 64),
            "a pod's uid has 8 to 64 characters");
    require(!contains(match.pod_uid, "_") && !contains(match.pod_uid, "/"), "a pod's uid has dashes only");
    const auto alone = match_path(path.substr(0, match.length));
    require(alone && alone->exact && identity(*alone) == identity(match),
            "the container's own path says the same");
}

}  // namespace

void cgroup_path(std::string_view input) {
    const auto match = match_path(input);
    require(same(match, match_path(std::string(input))), "the same path says the same");
    require(same(match, match_path(std::string(input) + "/")), "a slash at the end changes nothing");
    if (match) {
        check_match(*match, input);
    }
    const auto plain = unescape_unit(input);
    require(plain.size() <= input.size(), "escapes are longer than what they stand for");
    require(contains(input, "\\x") || plain == input, "what has no escape stays");
    Config::Containers config;
    config.roots = {{}, {}, {}, {}};
    const Selector selector(config, "/nonexistent");
    if (const auto around = selector.container_around(input)) {
        require(input.starts_with(*around) && selector.container_around(*around) == *around,
                "who is around a cgroup is on its path, and around itself");
    }
    if (const auto container = selector.select(input)) {
        require(match && match->exact && container->cgroup == input, "who is selected is what the path says");
        require(!display_name(*container).empty(), "a container can be called something");
    }
}

}  // namespace plimsoll::fuzz
