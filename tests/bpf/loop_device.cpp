// SPDX-License-Identifier: Apache-2.0
#include "loop_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace plimsoll::bpf_test {

namespace {

constexpr const char* kControl = "/dev/loop-control";

[[noreturn]] void give_up(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

UniqueFd make_file(const std::string& directory, std::uint64_t size_bytes) {
    std::string name = directory + "/plimsoll-loop-XXXXXX";
    UniqueFd file(mkostemp(name.data(), O_CLOEXEC));
    if (!file || unlink(name.c_str()) != 0 || ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
        give_up(name);
    }
    return file;
}

loop_config configuration(int file) {
    loop_config config{};
    config.fd = static_cast<__u32>(file);
    config.block_size = 4096;
    config.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR;  // gone with its last user
    return config;
}

}  // namespace

bool LoopDevice::exist() {
    return access(kControl, R_OK | W_OK) == 0;
}

/// The kernel names a free device; somebody else may be faster.
LoopDevice::LoopDevice(std::uint64_t size_bytes, const std::string& directory)
    : file_(make_file(directory, size_bytes)) {
    const UniqueFd control(open(kControl, O_RDWR | O_CLOEXEC));
    const loop_config config = configuration(file_.get());
    for (int attempt = 0; attempt < 100; attempt++) {
        const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
        path_ = "/dev/loop" + std::to_string(number);
        device_ = UniqueFd(open(path_.c_str(), O_RDWR | O_CLOEXEC));
        if (device_ && ioctl(device_.get(), LOOP_CONFIGURE, &config) == 0) {
            return;
        }
    }
    give_up("no loop device could be set up");
}

LoopDevice::~LoopDevice() {
    std::ofstream("/sys/block/" + path_.substr(5) + "/queue/scheduler") << "none";
    ioctl(device_.get(), LOOP_CLR_FD, 0);
}

std::string LoopDevice::label(const std::string& direction) const {
    return "device=\"" + path_ + "\"" + (direction.empty() ? "" : ",direction=\"" + direction + "\"");
}

void LoopDevice::use_scheduler(const std::string& name) const {
    std::ofstream file("/sys/block/" + path_.substr(5) + "/queue/scheduler");
    if (!(file << name << std::flush)) {
        give_up("scheduler " + name);
    }
}

void LoopDevice::truncate(std::uint64_t size_bytes) const {
    if (ftruncate(file_.get(), static_cast<off_t>(size_bytes)) != 0) {
        give_up("truncate");
    }
}

LoopDevice::Stat LoopDevice::stat() const {
    std::ifstream file("/sys/block/" + path_.substr(5) + "/stat");
    std::array<std::uint64_t, 17> n{};
    for (auto& number : n) {
        file >> number;
    }
    return {n[0], n[1], n[2], n[4], n[5], n[6], n[8], n[11], n[13], n[15]};
}

int work_on(const std::string& device, const BlockWork& work) {
    const UniqueFd fd(open(device.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    constexpr std::size_t kBuffer = 1 << 20;
    const std::unique_ptr<void, decltype(&free)> buffer(aligned_alloc(4096, kBuffer), free);
    if (!fd || !buffer) {
        return 1;
    }
    std::memset(buffer.get(), 7, kBuffer);
    for (int i = 0; i < work.writes; i++) {
        if (pwrite(fd.get(), buffer.get(), static_cast<std::size_t>(work.write_bytes),
                   off_t{i} * work.write_bytes) != work.write_bytes) {
            return 2;
        }
    }
    for (int i = 0; i < work.reads; i++) {
        if (pread(fd.get(), buffer.get(), static_cast<std::size_t>(work.read_bytes),
                  off_t{i} * work.read_bytes) != work.read_bytes) {
            return 3;
        }
    }
    for (int i = 0; i < work.flushes; i++) {
        if (fsync(fd.get()) != 0) {
            return 4;
        }
    }
    for (int i = 0; i < work.discards; i++) {
        std::array<std::uint64_t, 2> range{
            static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(work.discard_bytes),
            static_cast<std::uint64_t>(work.discard_bytes)};
        if (ioctl(fd.get(), BLKDISCARD, range.data()) != 0) {
            return 5;
        }
    }
    return 0;
}

}  // namespace plimsoll::bpf_test
