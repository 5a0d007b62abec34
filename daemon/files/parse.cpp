// SPDX-License-Identifier: Apache-2.0
#include "files/parse.h"

#include <charconv>
#include <system_error>

namespace plimsoll {
namespace {

constexpr std::string_view kBlank = " \t\n";

template <typename Number>
std::optional<Number> whole(std::string_view text) {
    const auto last = text.find_last_not_of(kBlank);
    text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number)
                                                                                     : std::nullopt;
}

/// "key=number": the number when the key is that one.
void take_value(std::string_view word, std::string_view key, std::uint64_t& value) {
    if (word.starts_with(key) && word.substr(key.size()).starts_with('=')) {
        value = whole<std::uint64_t>(word.substr(key.size() + 1)).value_or(value);
    }
}

}  // namespace

std::optional<std::string_view> take_line(std::string_view& rest) {
    if (rest.empty()) {
        return std::nullopt;
    }
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

std::optional<std::string_view> take_word(std::string_view& rest) {
    const auto begin = rest.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) {
        rest = {};
        return std::nullopt;
    }
    rest.remove_prefix(begin);
    const auto word = rest.substr(0, rest.find_first_of(kBlank));
    rest.remove_prefix(word.size());
    return word;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    return whole<std::uint64_t>(text);
}

std::optional<std::uint64_t> parse_limit(std::string_view text) {
    return text == "max" || text == "max\n" ? UINT64_MAX : whole<std::uint64_t>(text);
}

std::optional<std::uint64_t> scaled(std::optional<std::uint64_t> value, std::uint64_t factor) {
    std::uint64_t product = 0;
    return value && !__builtin_mul_overflow(*value, factor, &product) ? std::optional(product) : std::nullopt;
}

std::optional<KeyedNumber> take_keyed(std::string_view& rest) {
    while (const auto line = take_line(rest)) {
        const auto space = line->find(' ');
        const auto value =
            space == std::string_view::npos ? std::nullopt : whole<std::uint64_t>(line->substr(space + 1));
        if (value && space > 0) {
            return KeyedNumber{line->substr(0, space), *value};
        }
    }
    return std::nullopt;
}

std::optional<KeyedNumber> take_machine(std::string_view& rest) {
    while (auto line = take_line(rest)) {
        auto key = take_word(*line);
        const auto number = take_word(*line);
        const auto unit = take_word(*line);
        if (!key || !number || (unit && *unit != "kB")) {
            continue;
        }
        if (key->ends_with(':')) {
            key->remove_suffix(1);
        }
        const auto value = scaled(whole<std::uint64_t>(*number), unit ? 1024 : 1);
        if (value && !key->empty()) {
            return KeyedNumber{*key, *value};
        }
    }
    return std::nullopt;
}

std::optional<CpuMax> parse_cpu_max(std::string_view text) {
    const auto first = take_word(text);
    const auto second = take_word(text);
    const auto quota = first ? parse_limit(*first) : std::nullopt;
    const auto period = second ? whole<std::uint64_t>(*second) : std::nullopt;
    return quota && period ? std::optional(CpuMax{*quota, *period}) : std::nullopt;
}

Pressure parse_pressure(std::string_view text) {
    Pressure pressure;
    while (auto line = take_line(text)) {
        const auto kind = take_word(*line);
        while (const auto word = take_word(*line)) {
            if (!word->starts_with("total=")) {
                continue;
            }
            const auto total = whole<std::uint64_t>(word->substr(6));
            if (kind == "some") {
                pressure.some_us = total;
            } else if (kind == "full") {
                pressure.full_us = total;
            }
        }
    }
    return pressure;
}

std::optional<DeviceNumber> parse_device(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto major = whole<std::uint32_t>(text.substr(0, colon));
    const auto minor = whole<std::uint32_t>(text.substr(colon + 1));
    return major && minor ? std::optional(DeviceNumber{*major, *minor}) : std::nullopt;
}

std::optional<DeviceIo> take_io(std::string_view& rest) {
    while (auto line = take_line(rest)) {
        std::optional<DeviceIo> io;
        bool counted = false;
        while (const auto word = take_word(*line)) {
            if (const auto device = parse_device(*word)) {
                io = DeviceIo{.device = *device};
            } else if (io) {
                take_value(*word, "rbytes", io->read_bytes);
                take_value(*word, "wbytes", io->write_bytes);
                take_value(*word, "rios", io->reads);
                take_value(*word, "wios", io->writes);
                counted = true;
            }
        }
        if (counted) {
            return io;
        }
    }
    return std::nullopt;
}

std::optional<BlkioLine> take_blkio(std::string_view& rest) {
    while (auto line = take_line(rest)) {
        const auto device = parse_device(take_word(*line).value_or(""));
        const auto operation = take_word(*line);
        const auto value = whole<std::uint64_t>(take_word(*line).value_or(""));
        if (device && value && (operation == "Read" || operation == "Write")) {
            return BlkioLine{*device, operation == "Write", *value};
        }
    }
    return std::nullopt;
}

}  // namespace plimsoll
