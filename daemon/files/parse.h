// SPDX-License-Identifier: Apache-2.0
// The forms that the kernel's small text files come in. Pure, without allocation; what is garbled is passed
// over, never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace plimsoll {

/// The next piece up to a separator, which is taken off `rest`; nothing when `rest` is empty.
std::optional<std::string_view> take_line(std::string_view& rest);
/// Words are separated by spaces or tabs.
std::optional<std::string_view> take_word(std::string_view& rest);

/// A whole decimal number, with white space at its end at most; nothing for anything else and beyond 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);
/// The same, or "max", which is UINT64_MAX.
std::optional<std::uint64_t> parse_limit(std::string_view text);
/// value · factor; nothing beyond 64 bits.
std::optional<std::uint64_t> scaled(std::optional<std::uint64_t> value, std::uint64_t factor);

/// One line "key number" of cpu.stat, memory.stat and the like.
struct KeyedNumber {
    std::string_view key;
    std::uint64_t value;
};
/// The next such line; others are passed over.
std::optional<KeyedNumber> take_keyed(std::string_view& rest);
/// The next line "Key:   number kB" of /proc/meminfo or "key number" of /proc/vmstat; kB become bytes.
std::optional<KeyedNumber> take_machine(std::string_view& rest);

/// Two numbers of cpu.max: "max 100000", "50000 100000".
struct CpuMax {
    std::uint64_t quota_us;  ///< UINT64_MAX: none
    std::uint64_t period_us;
};
std::optional<CpuMax> parse_cpu_max(std::string_view text);

/// The totals of a *.pressure file, in microseconds.
struct Pressure {
    std::optional<std::uint64_t> some_us, full_us;
};
Pressure parse_pressure(std::string_view text);

struct DeviceNumber {
    std::uint32_t major, minor;
    bool operator==(const DeviceNumber&) const = default;
};
std::optional<DeviceNumber> parse_device(std::string_view text);

/// One line of io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …". Linux 5.15 writes devices that have no
/// numbers in front of the next one's: "8:16 8:0 rbytes=1 …".
struct DeviceIo {
    DeviceNumber device;
    std::uint64_t read_bytes = 0, write_bytes = 0, reads = 0, writes = 0;
};
std::optional<DeviceIo> take_io(std::string_view& rest);

/// One line of blkio.throttle.*: "8:0 Read 1", "8:0 Write 2", and others that are passed over.
struct BlkioLine {
    DeviceNumber device;
    bool write;
    std::uint64_t value;
};
std::optional<BlkioLine> take_blkio(std::string_view& rest);

}  // namespace plimsoll
