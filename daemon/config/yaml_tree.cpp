// SPDX-License-Identifier: Apache-2.0
// Uses the event interface of yaml-cpp, never its nodes: events carry exact positions, aliases stay what they
// are instead of being followed, and limits take effect while the text is read.
#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <sstream>
#include <utility>

#include "config/text_guard.h"

namespace plimsoll {
namespace {

/// Thrown through yaml-cpp to stop it, caught in read_yaml().
struct Stop {
    Problem problem;
};

/// yaml-cpp marks "nowhere" with -1.
Position position_of(const YAML::Mark& mark) {
    return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

bool has_control_character(std::string_view text) {
    return std::ranges::any_of(text, [](char byte) {
        const auto code = static_cast<unsigned char>(byte);
        return code < 0x20 || code == 0x7F;
    });
}

/// yaml-cpp takes the end of the text for a closing quote. `text` begins with the opening one.
bool is_closed_on_its_line(std::string_view text) {
    const char quote = text[0];
    for (std::size_t at = 1; at < text.size() && text[at] != '\n'; ++at) {
        if (quote == '"' && text[at] == '\\')
            ++at;
        else if (quote == '\'' && text.substr(at).starts_with("''"))
            ++at;
        else if (text[at] == quote)
            return true;
    }
    return false;
}

class TreeBuilder final : public YAML::EventHandler {
  public:
    TreeBuilder(std::string_view text, Problems& problems) : text_(text), problems_(problems) {}

    Node take() { return std::move(root_); }

    /// Where the innermost collection begins that has not ended.
    std::optional<Position> open_since() const {
        return open_.empty() ? std::nullopt : std::optional(open_.back().node.at);
    }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        add(make(Node::Kind::null, mark, "", anchor));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        add(make(Node::Kind::refused, mark, "", 0));
        problems_.push_back({position_of(mark), "aliases (*name) are not allowed; write the value out"});
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        Node node = make(Node::Kind::scalar, mark, tag, anchor);
        node.plain = tag == "?";
        const std::string_view rest =
            text_.substr(std::min(static_cast<std::size_t>(mark.pos), text_.size()));
        if ((rest.starts_with('"') || rest.starts_with('\'')) && !is_closed_on_its_line(rest))
            throw Stop{{node.at, "the quote is not closed on this line; allowed is text on one line"}};
        if (has_control_character(value)) {
            problems_.push_back({node.at,
                                 "the text contains a line break or another control character; "
                                 "allowed is text on one line"});
            node.kind = Node::Kind::refused;
        } else if (!is_utf8(value)) {  // yaml-cpp makes single bytes of these two
            problems_.push_back({node.at,
                                 "the escapes \\N and \\_ are not known here; write the character itself, or "
                                 "put the text in single quotes"});
            node.kind = Node::Kind::refused;
        } else {
            node.text = value;
        }
        add(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(make(Node::Kind::sequence, mark, tag, anchor));
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(make(Node::Kind::mapping, mark, tag, anchor));
    }
    void OnMapEnd() override { close(); }

  private:
    /// A collection that is still being read.
    struct Open {
        Node node;
        std::optional<Node> key;               ///< mappings: the key whose value comes next
        std::map<std::string, Position> keys;  ///< mappings: those seen so far
    };

    Node make(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        Node node;
        node.kind = kind;
        node.at = position_of(mark);
        if (++nodes_ > kMaxYamlNodes)
            throw Stop{{node.at, fmt::format("more than {} values", kMaxYamlNodes)}};
        if (anchor != 0)
            problems_.push_back(
                {node.at, "anchors (&name) are not allowed; write the value out where it is used"});
        if (!tag.empty() && tag != "?" && tag != "!")  // those two stand for "no tag": plain and quoted
            problems_.push_back({node.at, "tags (!name) are not allowed; leave the tag out"});
        return node;
    }

    void open(Node node) {
        if (open_.size() >= kMaxYamlDepth)
            throw Stop{{node.at, fmt::format("nested more than {} levels deep", kMaxYamlDepth)}};
        open_.push_back({std::move(node), std::nullopt, {}});
    }

    void close() {
        Node node = std::move(open_.back().node);
        open_.pop_back();
        add(std::move(node));
    }

    void add(Node node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == Node::Kind::sequence)
            parent.node.children.push_back(std::move(node));
        else if (!parent.key)
            parent.key = std::move(node);
        else
            add_entry(parent, std::move(node));
    }

    void add_entry(Open& parent, Node value) {
        const Node key = std::move(*parent.key);
        parent.key.reset();
        if (key.kind == Node::Kind::refused)
            return;
        if (key.kind != Node::Kind::scalar) {
            problems_.push_back({key.at, "this key is not a name; allowed is text"});
            return;
        }
        if (key.plain && key.text == "<<") {
            problems_.push_back({key.at, "merge keys (<<) are not allowed; write the keys out"});
            return;
        }
        const auto [first, is_new] = parent.keys.try_emplace(key.text, key.at);
        if (!is_new) {
            problems_.push_back({key.at, fmt::format("duplicate key {}; it is already in line {}",
                                                     quoted(key.text), first->second.line)});
            return;
        }
        value.key = key.text;
        value.key_at = key.at;
        if (value.kind == Node::Kind::null)
            value.at = key.at;  // yaml-cpp gives the position of what comes next
        parent.node.children.push_back(std::move(value));
    }

    std::string_view text_;
    Problems& problems_;
    std::vector<Open> open_;
    Node root_;
    int nodes_ = 0;
};

/// Refuses what follows the first document.
class NothingMore final : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark& mark) override {
        throw Stop{
            {position_of(mark), "text after the end of the document; allowed is one document per file"}};
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

/// yaml-cpp speaks of its tokens; the usual mistakes deserve better.
Problem explain(const YAML::Exception& error, std::optional<Position> open_since) {
    if (error.msg == "end of sequence flow not found" || error.msg == "end of map flow not found")
        return {open_since.value_or(position_of(error.mark)),
                "what begins here with a bracket is not closed, or an item of it not followed by ',' or the "
                "bracket"};
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kExplained{{
        {"end of map not found",
         "this does not continue the mapping above; check the indentation and the quotes"},
        {"end of sequence not found",
         "this does not continue the list above; check the indentation and the quotes"},
        {"illegal map value",
         "a ':' where no value can start; check the indentation, quote text that contains ': '"},
        {"illegal EOF in scalar", "a quote is not closed"},
        // The library's own words end in the byte behind the backslash, whatever that is.
        {"unknown escape character",
         "a backslash in double quotes begins no escape that YAML knows; write \\\\, or put the text in "
         "single quotes"},
        {"unknown token", "no value can start with this character; put the text in quotes"},
        {"the referenced anchor is not defined",
         "aliases (*name) are not allowed; put text that starts with * in quotes"},
    }};
    const auto known = std::ranges::find_if(
        kExplained, [&](const auto& entry) { return error.msg.starts_with(entry.first); });
    const bool is_known = known != kExplained.end();
    return {position_of(error.mark), is_known ? std::string(known->second) : "not valid YAML: " + error.msg};
}

}  // namespace

std::optional<Node> read_yaml(std::string_view text, Problems& problems) {
    TreeBuilder builder(text, problems);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        // Called exactly twice: on some malformed texts it would return true without end.
        if (parser.HandleNextDocument(builder)) {
            NothingMore nothing_more;
            parser.HandleNextDocument(nothing_more);
        }
        return builder.take();
    } catch (const Stop& stop) {
        problems.push_back(stop.problem);
    } catch (const YAML::Exception& error) {
        problems.push_back(explain(error, builder.open_since()));
    } catch (const std::exception& error) {
        problems.push_back({{}, std::string("not valid YAML: ") + error.what()});
    }
    return std::nullopt;
}

}  // namespace plimsoll
