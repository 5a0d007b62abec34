// SPDX-License-Identifier: Apache-2.0
// The files of container runtimes. The first line says whose file it is, the rest is its content: whatever
// that holds, a container is described by bounded, valid text, or not at all.
#include <algorithm>
#include <string>

#include "containers/metadata_file.h"
#include "containers/metadata_sources.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"
#include "unit/exposition/page_parser.h"

namespace plimsoll::fuzz {
namespace {

constexpr std::size_t kMostText = 1024;
constexpr std::size_t kMostLabels = 256;

Container fresh() {
    Container container;
    container.id = std::string(64, 'a');
    container.cgroup = "/docker/" + container.id;
    return container;
}

void check_text(const std::string& text) {
    require(text.size() <= kMostText, "what a file tells is bounded");
    require(testing::is_valid_utf8(text), "what a file tells is UTF-8");
}

void check(const Container& container) {
    for (const auto* text : {&container.name, &container.image, &container.pod, &container.pod_container,
                             &container.pod_namespace, &container.pod_uid}) {
        check_text(*text);
    }
    require(container.labels.size() <= kMostLabels, "labels are bounded");
    for (const auto& [key, value] : container.labels) {
        check_text(key);
        check_text(value);
    }
    require(container.id == fresh().id && container.cgroup == fresh().cgroup,
            "a file does not say who it is about");
    require(!display_name(container).empty(), "a container can be called something");
}

/// Brackets outside of strings, the deepest that the text is in.
long depth(std::string_view text) {
    long now = 0, deepest = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            quoted = !quoted;
        } else if (quoted && text[i] == '\\') {
            ++i;
        } else if (!quoted) {
            now += text[i] == '{' || text[i] == '[' ? 1 : text[i] == '}' || text[i] == ']' ? -1 : 0;
            deepest = std::max(deepest, now);
        }
    }
    return deepest;
}

template <typename Apply>
void check_file(std::string_view text, Apply apply) {
    const auto file = parse_bounded_json(text);
    require(!file || depth(text) <= 64, "what is read is not deeper than 64");
    Container one = fresh(), other = fresh();
    const Finding found = file && file->is_object() ? apply(*file, one) : Finding::nothing;
    check(one);
    if (found == Finding::nothing) {
        return require(one.name.empty() && one.labels.empty(), "a file that says nothing tells nothing");
    }
    require(found == apply(*file, other) && one.name == other.name && one.labels == other.labels,
            "the same file tells the same");
}

void check_list(std::string_view text) {
    for (const auto& [id, entry] : parse_storage_list(text)) {
        check_text(id);
        Container container = fresh();
        require(apply_storage(entry, container) != Finding::nothing, "an entry is a container or a helper");
        check(container);
    }
}

void check_home(Input fields) {
    const std::string user(fields.field());
    const auto home = home_in(fields.rest(), user);
    require(home.empty() || home.starts_with('/'), "a home is an absolute path");
    require(home.empty() || fields.rest().find(":" + user + ":") != std::string_view::npos,
            "it is this user's");
    require(home.find('\n') == std::string::npos && home.find(':') == std::string::npos,
            "a home is one field");
}

}  // namespace

void metadata(std::string_view input) {
    Input fields(input);
    const auto kind = fields.field();
    const auto text = fields.rest();
    if (kind == "docker") {
        check_file(text, apply_docker);
    } else if (kind == "containerd" || kind == "moby") {
        check_file(text, [&](const auto& file, Container& container) {
            return apply_containerd(file, kind, container);
        });
    } else if (kind == "storage") {
        check_file(text,
                   [](const auto& file, Container& container) { return apply_storage(file, container); });
    } else if (kind == "list") {
        check_list(text);
    } else if (kind == "passwd") {
        check_home(fields);
    }
}

}  // namespace plimsoll::fuzz
