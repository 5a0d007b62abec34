// SPDX-License-Identifier: Apache-2.0
#include "exposition/labels.h"

#include <catch2/catch.hpp>
#include <random>

#include "page_parser.h"

namespace plimsoll {
namespace {

using testing::is_valid_utf8;
using testing::PageParser;

const std::string kReplaced = "\xEF\xBF\xBD";

std::string label_value(std::string_view raw) {
    std::string out;
    append_label_value(out, raw);
    return out;
}

/// What a strict parser makes of the labels on a page.
std::map<std::string, std::string> parsed(const std::string& labels) {
    const std::string page = "# TYPE m gauge\nm{" + labels + "} 1\n";
    return PageParser::parse(page, false).at(0).samples.at(0).labels;
}

Container with_id(std::string id) {
    Container container;
    container.cgroup = std::move(id);
    return container;
}

}  // namespace

TEST_CASE("Labels come in a fixed order and empty ones are left out") {
    Container container = with_id("/docker/abc");
    container.name = "web";
    CHECK(render_labels(container) == R"(id="/docker/abc",name="web")");
    container.image = "nginx:1";
    container.pod = "web-0";
    container.pod_container = "nginx";
    container.pod_namespace = "shop";
    CHECK(render_labels(container) ==
          R"(id="/docker/abc",name="web",image="nginx:1",container="nginx",pod="web-0",namespace="shop")");
}

TEST_CASE("Backslash, quote and newline in a label value are escaped and nothing else is") {
    CHECK(label_value("a\\x2d\"b\"\nc{},=#\t é 漢 🚢") == "a\\\\x2d\\\"b\\\"\\nc{},=#\t é 漢 🚢");
}

TEST_CASE("Invalid UTF-8 becomes the replacement character") {
    CHECK(label_value("a\xFFz") == "a" + kReplaced + "z");
    CHECK(label_value("\xC0\x80") == kReplaced + kReplaced);                  // overlong NUL
    CHECK(label_value("\xED\xA0\x80") == kReplaced + kReplaced + kReplaced);  // a surrogate
    CHECK(label_value("\xF4\x90\x80\x80") == kReplaced + kReplaced + kReplaced + kReplaced);
    CHECK(label_value("\xE2\x82") == kReplaced + kReplaced);  // ends in mid-character
    CHECK(label_value("\xF0\x9F\x9A\xA2") == "\xF0\x9F\x9A\xA2");
}

TEST_CASE("Control characters never reach a parser or a terminal") {
    CHECK(label_value(std::string("a\0b", 3)) == "a" + kReplaced + "b");
    CHECK(label_value("\x1b[2J\r\x7f\xC2\x9B") == kReplaced + "[2J" + kReplaced + kReplaced + kReplaced);
}

TEST_CASE("A label value is cut to its bound between characters, never inside an escape") {
    for (const std::string_view unit : {"x", "\"", "\n", "é", "漢", "🚢", "\xFF"}) {
        for (std::size_t shift = 0; shift < 5; ++shift) {
            std::string raw(shift, 'a');
            for (int i = 0; i < 2000; ++i) {
                raw += unit;
            }
            const std::string value = label_value(raw);
            CHECK(value.size() <= kMaxLabelValue);
            CHECK(value.size() > kMaxLabelValue - 4);
            CHECK_NOTHROW(parsed("l=\"" + value + "\""));
        }
    }
}

TEST_CASE("Random bytes always give labels that parse") {
    std::mt19937 random(1729);
    for (int round = 0; round < 500; ++round) {
        Container container;
        for (std::string* field : {&container.cgroup, &container.name, &container.image, &container.pod}) {
            field->resize(random() % 300 + 1);
            for (char& c : *field) {
                c = static_cast<char>(random());
            }
        }
        CHECK(parsed(render_labels(container)).size() == 4);
    }
}

TEST_CASE("Ids that differ only where they cannot be shown stay distinct") {
    const std::string deep(5000, 'd');
    CHECK(render_labels(with_id("/a\xFF")) != render_labels(with_id("/a\xFE")));
    CHECK(render_labels(with_id(deep + "1")) != render_labels(with_id(deep + "2")));
    CHECK(parsed(render_labels(with_id(deep))).at("id").size() == kMaxLabelValue);
    CHECK(render_labels(with_id("/a" + kReplaced)) == "id=\"/a" + kReplaced + "\"");
}

TEST_CASE("The info fragment carries runtime, ids and the runtime labels that a glob allows") {
    Container container;
    container.runtime = Runtime::docker;
    container.id = "0123";
    container.labels = {{"com.example.team", "blue"}, {"com.example.tier", "1"}, {"secret", "x"}};
    const std::vector<Glob> globs{Glob("com.example.*", GlobKind::text)};
    CHECK(render_info_labels(container, {}) == R"(runtime="docker",container_id="0123")");
    CHECK(render_info_labels(container, globs) ==
          R"(runtime="docker",container_id="0123",label_com_example_team="blue",label_com_example_tier="1")");
    container.pod_uid = "u-1";
    CHECK(parsed(render_info_labels(container, {})).at("pod_uid") == "u-1");
}

TEST_CASE("Of runtime labels that sanitise to one name the first wins") {
    Container container;
    container.labels = {{"a-b", "first"}, {"a.b", "second"}, {"a/b", "third"}};
    const std::vector<Glob> all{Glob("*", GlobKind::text)};
    CHECK(render_info_labels(container, all) == R"(runtime="cgroup",label_a_b="first")");
}

TEST_CASE("Thousands of hostile runtime labels stay few and parse") {
    Container container;
    for (int i = 0; i < 3000; ++i) {
        container.labels[std::to_string(i) + "\"\n\xFF" + std::string(1000, 'k')] = std::string(4000, '"');
    }
    const std::vector<Glob> all{Glob("*", GlobKind::text)};
    const auto labels = parsed(render_info_labels(container, all));
    CHECK(labels.size() == 1 + kMaxInfoLabels);
    CHECK(is_valid_utf8(render_info_labels(container, all)));
}

}  // namespace plimsoll
