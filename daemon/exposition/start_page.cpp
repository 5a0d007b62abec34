// SPDX-License-Identifier: Apache-2.0
#include "exposition/start_page.h"

#include <algorithm>

#include "exposition/utf8.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMaxRows = 1000;
constexpr std::size_t kMaxText = 1024;

constexpr std::string_view kHead =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Plimsoll</title>\n"
    "<style>body{font-family:sans-serif;margin:2em}td,th{text-align:left;padding:.2em 1em .2em 0}</style>\n"
    "</head><body>\n<h1>Plimsoll</h1>\n";

constexpr std::string_view kLinks =
    "<ul>\n<li><a href=\"metrics\">/metrics</a>: what the containers do</li>\n"
    "<li><a href=\"healthz\">/healthz</a>: is the agent alive</li>\n"
    "<li><a href=\"readyz\">/readyz</a>: does it measure</li>\n</ul>\n";

void append_row(std::string& out, const Status::Watched& watched) {
    out += "<tr>";
    for (const std::string* cell : {&watched.name, &watched.runtime, &watched.cgroup}) {
        out += "<td>";
        append_html(out, *cell);
        out += "</td>";
    }
    out += "</tr>\n";
}

}  // namespace

void append_html(std::string& out, std::string_view text) {
    std::string_view rest = text.substr(0, kMaxText);
    while (!rest.empty()) {
        const std::string_view character = take_character(rest).text;
        switch (character[0]) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += character;
        }
    }
}

std::string render_start_page(std::string_view version, const Status& status) {
    std::string out(kHead);
    out += "<p>Version ";
    append_html(out, version);
    out += status.ready ? ", ready.</p>\n" : ", not ready: ";
    if (!status.ready) {
        append_html(out, status.reason);
        out += "</p>\n";
    }
    out += kLinks;
    const std::size_t count = status.containers.size();
    out += "<h2>Watched containers: " + std::to_string(count) + "</h2>\n<table>\n";
    out += "<tr><th>Name</th><th>Runtime</th><th>Cgroup</th></tr>\n";
    const std::size_t rows = std::min(count, kMaxRows);
    for (std::size_t i = 0; i < rows; ++i) {
        append_row(out, status.containers[i]);
    }
    out += "</table>\n";
    if (rows < count) {
        out += "<p>and " + std::to_string(count - rows) + " more</p>\n";
    }
    out += "</body></html>\n";
    return out;
}

}  // namespace plimsoll
