// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include "parse_test_support.h"

namespace plimsoll {
namespace {

using config_test::errors_of;
using config_test::parsed;

/// The only error of the text, without the name of the file.
std::string error_of(std::string_view text) {
    const auto lines = errors_of(text);
    REQUIRE(lines.size() == 1);
    REQUIRE(lines[0].starts_with("c.yaml:"));
    return lines[0].substr(7);
}

TEST_CASE("duplicate keys are refused at any depth, however they are quoted") {
    CHECK(errors_of("web: {}\n\"web\": {}\ncontainers:\n  roots: {docker: /a, 'docker': /b}\n") ==
          ConfigErrors{"c.yaml:2:1: duplicate key \"web\"; it is already in line 1",
                       "c.yaml:4:23: duplicate key \"docker\"; it is already in line 4"});
    CHECK(error_of("containers:\n  include:\n    - name: a\n      name: b\n") ==
          "4:7: duplicate key \"name\"; it is already in line 3");
    CHECK(error_of("containers:\n  include:\n    - label:\n        x: a\n        x: b\n") ==
          "5:9: duplicate key \"x\"; it is already in line 4");
}

TEST_CASE("what makes YAML more than data is refused by name") {
    CHECK(error_of("web: &anchor {}") ==
          "1:6: anchors (&name) are not allowed; write the value out where it is used");
    CHECK(error_of("web: *nothing") ==
          "1:6: aliases (*name) are not allowed; put text that starts with * in quotes");
    CHECK(error_of("containers: {labels: [*]}").starts_with("1:24: "));
    CHECK(error_of("containers:\n  <<: {}") == "2:3: merge keys (<<) are not allowed; write the keys out");
    CHECK(error_of("log: {level: !!str info}") == "1:14: tags (!name) are not allowed; leave the tag out");
    CHECK(error_of("log: !<tag:x> {level: info}") == "1:6: tags (!name) are not allowed; leave the tag out");
    CHECK(error_of("%TAG !e! tag:e,2000:\n---\nlog: {level: !e!x info}") ==
          "3:14: tags (!name) are not allowed; leave the tag out");
    CHECK(error_of("web: {}\n---\nlog: {}\n") ==
          "2:1: text after the end of the document; allowed is one document per file");
    CHECK(error_of("web: {}\n...\n---\n") ==
          "3:1: text after the end of the document; allowed is one document per file");
    CHECK(error_of("? [web]\n: {}") == "1:3: this key is not a name; allowed is text");
    CHECK(error_of("? {}\n") == "1:3: this key is not a name; allowed is text");
    CHECK(error_of("~: 1") == "1:1: this key is not a name; allowed is text");
}

TEST_CASE("text has no control characters, however they are written") {
    constexpr auto kText =
        "the text contains a line break or another control character; allowed is text on one line";
    CHECK(error_of("containers: {labels: [\"a\\0b\"]}") == std::string("1:23: ") + kText);
    CHECK(error_of("containers: {labels: [\"a\\nb\"]}") == std::string("1:23: ") + kText);
    CHECK(error_of("containers:\n  labels:\n    - |\n      a\n") == std::string("3:7: ") + kText);
    CHECK(error_of("\"a\\x07\": 1") == std::string("1:1: ") + kText);
}

TEST_CASE("broken YAML is one error at the place where it breaks") {
    CHECK(error_of("web:\n  listen: x\n bad: 1\n") ==
          "3:2: this does not continue the mapping above; check the indentation and the quotes");
    CHECK(error_of("containers: {labels: [a, b}\n").starts_with("1:27: "));
    constexpr auto kBracket =
        "what begins here with a bracket is not closed, or an item of it not followed by ',' or the bracket";
    CHECK(error_of("containers:\n  labels: [a, b") == std::string("2:11: ") + kBracket);
    CHECK(error_of("log: {level: info\nself: {}\n") == std::string("1:6: ") + kBracket);
    CHECK(error_of("log: {level: @info}") ==
          "1:14: no value can start with this character; put the text in quotes");
    CHECK(error_of("log: level: info") ==
          "1:11: a ':' where no value can start; check the indentation, quote text that contains ': '");
    CHECK(error_of("log:\n  level: info\n\tformat: text\n").starts_with("3:1: "));
    CHECK(
        error_of("log: {level: \"\\q\"}").starts_with("1:17: a backslash in double quotes begins no escape"));
    CHECK(error_of("web: {}\n]\n").starts_with("2:1: "));
    CHECK(error_of(",").starts_with("1:1: "));
}

TEST_CASE("a quote that is not closed is found on its own line, not where the file ends") {
    constexpr auto kText = "the quote is not closed on this line; allowed is text on one line";
    CHECK(error_of("log: {level: \"info}\n") == std::string("1:14: ") + kText);
    CHECK(error_of("containers:\r\n  labels:\r\n    - \"\xC3\xA9\r\n") == std::string("3:7: ") + kText);
    CHECK(error_of("# \xC3\xA9\ncontainers: {labels: ['it''s, 'b']}\n").starts_with("2:"));
    CHECK(error_of("containers:\n  labels:\n    - 'it''s\n    - 'b'\n") == std::string("3:7: ") + kText);
    CHECK(error_of("containers: {labels: [\"a\\\"]}\n") == std::string("1:23: ") + kText);
    CHECK(error_of("log: {level: \"info}") == "1:20: a quote is not closed");
    CHECK(parsed("# \xC3\xA9\r\ncontainers: {labels: ['it''s', \"\\\"\", \"\\\\\", a\"b]}\r\n")
              .containers.labels == std::vector<std::string>{"it's", "\"", "\\", "a\"b"});
}

TEST_CASE("nesting ends at 32 levels and the tree at 8192 values") {
    const auto nested = [](int depth) { return "a: " + std::string(depth, '[') + std::string(depth, ']'); };
    Problems problems;
    CHECK(read_yaml(nested(31), problems));
    CHECK(problems.empty());
    CHECK(error_of(nested(32)) == "1:35: nested more than 32 levels deep");

    std::string block;
    for (int depth = 0; depth < 60; ++depth)
        block += std::string(depth, ' ') + "a:\n";
    CHECK(error_of(block) == "33:33: nested more than 32 levels deep");

    std::string many = "a: [";
    for (int i = 0; i < 9000; ++i)
        many += i % 100 == 0 ? "\n1," : "1,";
    CHECK_THAT(error_of(many + "]"), Catch::EndsWith(": more than 8192 values"));
}

TEST_CASE("a mapping of thousands of keys is read without delay") {
    std::string text;
    for (int i = 0; i < 4000; ++i)
        text += "key" + std::to_string(i) + ": 1\n";
    Problems problems;
    const auto tree = read_yaml(text, problems);
    REQUIRE(tree);
    CHECK(tree->children.size() == 4000);
    CHECK(problems.empty());
}

TEST_CASE("a null value is where its key is, and a node knows how it was written") {
    Problems problems;
    const auto tree = read_yaml("a:\n\n\nb: 'x'\n\"c\": x\n", problems);
    REQUIRE(tree);
    REQUIRE(tree->children.size() == 3);
    CHECK(tree->children[0].kind == Node::Kind::null);
    CHECK(tree->children[0].at == Position{1, 1});
    CHECK_FALSE(tree->children[1].plain);
    CHECK(tree->children[1].at == Position{4, 4});
    CHECK(tree->children[2].plain);
    CHECK(tree->children[2].key == "c");
    CHECK(tree->children[2].key_at == Position{5, 1});
}

}  // namespace
}  // namespace plimsoll
