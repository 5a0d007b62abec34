// SPDX-License-Identifier: Apache-2.0
// A strict reader of both text formats, for tests: written from the formats' descriptions, sharing no code
// with the writer. Throws std::runtime_error that names the line.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::testing {

struct ParsedSample {
    std::string name;
    std::map<std::string, std::string> labels;  ///< unescaped
    std::string value;                          ///< as written
};

struct ParsedFamily {
    std::string name, type, help, unit;
    std::vector<ParsedSample> samples;
};

class PageParser {
  public:
    static std::vector<ParsedFamily> parse(std::string_view page, bool openmetrics);

  private:
    explicit PageParser(bool openmetrics) : openmetrics_(openmetrics) {}
    void line(std::string_view text);
    void comment(std::string_view text);
    void sample(std::string_view text);
    ParsedFamily& family(const std::string& name);
    std::map<std::string, std::string> labels(std::string_view& rest);
    bool belongs(const std::string& name) const;
    [[noreturn]] void refuse(const std::string& why) const;

    const bool openmetrics_;
    std::size_t number_ = 0;
    bool ended_ = false;
    std::set<std::string> names_;
    std::set<std::string> series_;
    std::vector<ParsedFamily> families_;
};

bool is_valid_utf8(std::string_view text);

}  // namespace plimsoll::testing
