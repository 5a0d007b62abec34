// SPDX-License-Identifier: Apache-2.0
// Names of anybody's choice on the page. An input is containers with a NUL between them, each a line for
// cgroup, name, image, pod, its container and namespace, then runtime labels `key=value`. Strict readers of
// both text formats and of HTML must understand the page, and find in it what went in, as far as that is
// text.
#include <algorithm>
#include <string>
#include <vector>

#include "exposition/label_reader.h"
#include "exposition/overview.h"
#include "exposition/start_page.h"
#include "exposition/text.h"
#include "exposition/utf8.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"
#include "probes/interface_label.h"
#include "unit/exposition/container_snapshot.h"
#include "unit/exposition/html_check.h"
#include "unit/exposition/page_parser.h"

namespace plimsoll::fuzz {
namespace {

constexpr std::size_t kMostContainers = 8;
constexpr std::size_t kMostHtml = 256;  // of an input whose page is read as HTML, which takes long

Container container_of(Input fields) {
    Container container;
    for (auto* text : {&container.cgroup, &container.name, &container.image, &container.pod,
                       &container.pod_container, &container.pod_namespace}) {
        *text = fields.field();
    }
    while (!fields.empty()) {
        Input label(fields.field());
        const std::string key(label.field('='));
        container.labels.emplace(key, label.rest());
    }
    container.runtime = Runtime::docker;
    container.id = container.name;
    return container;
}

/// Each cgroup is there once, as in the registry.
std::vector<Container> containers_of(Input input) {
    std::vector<Container> containers;
    while (!input.empty() && containers.size() < kMostContainers) {
        auto one = container_of(Input(input.field('\0')));
        const auto same = [&](const Container& other) { return other.cgroup == one.cgroup; };
        if (std::ranges::none_of(containers, same)) {
            containers.push_back(std::move(one));
        }
    }
    return containers;
}

/// Without anything that has to be replaced or cut.
bool is_plain(std::string_view text) {
    bool plain = text.size() <= kMaxLabelValue / 2;
    while (plain && !text.empty()) {
        plain = take_character(text).faithful;
    }
    return plain;
}

/// A path that ends as those do that were replaced is replaced as well: else it could take another's name.
bool looks_replaced(std::string_view path) {
    const auto hash = path.rfind('#');
    return hash != path.npos && path.size() - hash == 17 &&
           path.find_first_not_of("0123456789abcdef", hash + 1) == path.npos;
}

using Labels = std::map<std::string, std::string>;

void check_label(const Labels& labels, const std::string& name, const std::string& value,
                 std::string_view rendered) {
    const bool plain = is_plain(value) && (name != "id" || !looks_replaced(value));
    const auto found = labels.find(name);
    const std::string shown = found == labels.end() ? "" : found->second;
    require(!plain || shown == value, "a plain value is shown as it is");
    require(shown == label_value(rendered, name), "our own reader reads the same");
    require(shown.size() <= kMaxLabelValue, "a value is bounded");
}

void check_page(const std::vector<Container>& containers, const Snapshot& snapshot, TextFormat format) {
    Rendered page;
    render(snapshot, format, page);
    const auto families = testing::PageParser::parse(page.body, format == TextFormat::openmetrics);
    require(page.bytes == page.body.size(), "the size is known");
    require(containers.empty() || families.at(0).samples.size() == containers.size(),
            "each container has its series");
    for (std::size_t i = 0; i < containers.size(); ++i) {
        const auto& labels = families[0].samples[i].labels;
        const Container& container = containers[i];
        const std::string& rendered = *snapshot.containers[i];
        check_label(labels, "id", container.cgroup, rendered);
        check_label(labels, "name", container.name, rendered);
        check_label(labels, "image", container.image, rendered);
        check_label(labels, "pod", container.pod, rendered);
        check_label(labels, "container", container.pod_container, rendered);
        check_label(labels, "namespace", container.pod_namespace, rendered);
    }
}

/// What a probe's own labels may hold: interfaces are called as somebody likes.
void check_fragments(const std::vector<Container>& containers) {
    std::vector<std::string> names, rendered;
    for (const auto& container : containers) {
        const std::string name = container.name.substr(0, 15);
        if (std::ranges::find(names, name) == names.end()) {
            names.push_back(name);
            rendered.push_back(interface_label(name));
        }
    }
    std::ranges::sort(rendered);
    require(std::ranges::adjacent_find(rendered) == rendered.end(), "no two interfaces look alike");
}

}  // namespace

void exposition(std::string_view input) {
    const auto containers = containers_of(Input(input));
    Snapshot snapshot;
    SampleWriter writer(snapshot);
    const MetricSpec info{
        "container_info", MetricType::gauge, "", "", "Help \\ with \"quotes\"\nand lines.", ""};
    const std::vector<Glob> all{Glob("*", GlobKind::text)};
    writer.family(info);
    for (const auto& container : containers) {
        snapshot.containers.push_back(std::make_shared<const std::string>(render_labels(container)));
        writer.add(static_cast<std::uint32_t>(snapshot.containers.size() - 1),
                   writer.kept(render_info_labels(container, all)), Number::count(1));
    }
    prometheus::ClientMetric own;
    own.label.push_back({"reason", containers.empty() ? std::string(input) : containers[0].name});
    snapshot.self.push_back({"plimsoll_own", "Help\n\\", prometheus::MetricType::Gauge, {own}});
    check_page(containers, snapshot, TextFormat::prometheus);
    check_page(containers, snapshot, TextFormat::openmetrics);
    check_fragments(containers);
    const std::string host = containers.empty() ? "" : containers[0].image;
    const std::string page = StartPage("1", {host, 0}, sort_key_of(input)).table(make_overview(snapshot));
    if (input.size() <= kMostHtml) {
        require(testing::html_problem(page).empty(), "the start page is well-formed");
    }
    require(testing::is_valid_utf8(page), "the start page is UTF-8");
}

}  // namespace plimsoll::fuzz
