// SPDX-License-Identifier: Apache-2.0
// waiter KIND SECONDS             one known wait; the truth as JSON on stdout
// waiter --orders FIFO --out DIR  takes orders "NUMBER KIND SECONDS\n" from the FIFO, writes DIR/truth.NUMBER
// waiter --list                   the kinds
// The truth: {"kind": …, "waits": {"CALL": ns, …}, "begin_ns", "end_ns"} or with "error" when it cannot be
// done here.
#include "scene.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <string_view>

namespace {

constexpr const Kind* kTables[] = {kBasicKinds,   kFileKinds, kSocketKinds, kPollKinds,
                                   kProcessKinds, kRingKinds, kCompatKinds};

const Kind* find_kind(std::string_view name) {
    for (const Kind* table : kTables)
        for (const Kind* kind = table; kind->name; ++kind)
            if (name == kind->name)
                return kind;
    return nullptr;
}

std::string kind_names(const char* separator) {
    std::string names;
    for (const Kind* table : kTables)
        for (const Kind* kind = table; kind->name; ++kind) {
            if (!names.empty())
                names += separator;
            names += kind->name;
        }
    return names;
}

std::string perform(const std::string& name, double seconds) {
    std::string truth = "{\"kind\": \"" + name + "\"";
    const Kind* kind = find_kind(name);
    Scene scene(static_cast<uint64_t>(seconds * 1e9));
    const uint64_t begin = boottime_ns();
    try {
        if (!kind)
            throw Failure{"no such kind"};
        kind->run(scene);
    } catch (const Failure& failure) {
        truth += ", \"error\": \"" + failure.text + "\"";
    }
    return truth + ", \"begin_ns\": " + std::to_string(begin) +
           ", \"end_ns\": " + std::to_string(boottime_ns()) + ", \"waits\": " + scene.json() + "}\n";
}

void write_file(const std::string& path, const std::string& text) {
    const std::string temporary = path + ".tmp";
    FILE* file = fopen(temporary.c_str(), "we");
    if (!file || fputs(text.c_str(), file) < 0 || fclose(file) != 0 ||
        rename(temporary.c_str(), path.c_str()) != 0) {
        perror(path.c_str());
        exit(1);
    }
}

/// The next line of the FIFO. Where it waits for it, in read or in poll, is the gate that the harness
/// chooses.
std::string next_order(int orders, bool gate_polls) {
    static std::string pending;
    while (pending.find('\n') == std::string::npos) {
        pollfd ready{orders, POLLIN, 0};
        if (gate_polls)
            poll(&ready, 1, -1);
        char buffer[256];
        const ssize_t size = read(orders, buffer, sizeof buffer);
        if (size <= 0)
            exit(size == 0 ? 0 : 1);
        pending.append(buffer, static_cast<size_t>(size));
    }
    const std::string line = pending.substr(0, pending.find('\n'));
    pending.erase(0, line.size() + 1);
    return line;
}

int serve(const char* fifo, const std::string& directory) {
    const int orders = open(fifo, O_RDWR | O_CLOEXEC);  // both ends: never an end of file
    if (orders < 0) {
        perror(fifo);
        return 1;
    }
    prepare_files();
    write_file(directory + "/ready", "{\"kinds\": [\"" + kind_names("\", \"") + "\"]}\n");
    bool gate_polls = false;
    for (;;) {
        const std::string order = next_order(orders, gate_polls);
        unsigned number = 0;
        char name[64] = "";
        double seconds = 0;
        if (sscanf(order.c_str(), "%u %63s %lf", &number, name, &seconds) != 3)
            return 2;
        if (std::string_view(name) == "exit")
            return 0;
        std::string truth;
        if (std::string_view(name).starts_with("gate_")) {
            gate_polls = std::string_view(name) == "gate_poll";
            truth = "{}\n";
        } else {
            truth = perform(name, seconds);
        }
        write_file(directory + "/truth." + std::to_string(number), truth);
    }
}

}  // namespace

Scene::Sum* Scene::shared_sums() {
    static void* const memory =
        mmap(nullptr, kSums * sizeof(Sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(memory, 0, kSums * sizeof(Sum));
    return static_cast<Sum*>(memory);
}

void Scene::add(const char* name, uint64_t ns) {
    for (int i = 0; i < kSums;
         ++i) {  // two threads never add a new name at once: a wake-up lies between them
        if (!sums_[i].name[0])
            strncpy(sums_[i].name, name, sizeof sums_[i].name - 1);
        if (strcmp(sums_[i].name, name) == 0) {
            sums_[i].ns += ns;
            return;
        }
    }
    abort();
}

void Scene::sleep() {
    timed("nanosleep", [this] {
        timespec left = to_timespec(wait_ns);
        while (nanosleep(&left, &left) != 0 && errno == EINTR) {
        }
        return 0;
    });
}

void Scene::start_thread(void* (*body)(void*), void* argument) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, body, argument) != 0)
        fail("pthread_create");
    pthread_detach(thread);  // it ends by itself, and joining it would be one more wait
}

std::string Scene::json() const {
    std::string text = "{";
    for (int i = 0; i < kSums && sums_[i].name[0]; ++i) {
        if (i)
            text += ", ";
        text += "\"" + std::string(sums_[i].name) + "\": " + std::to_string(sums_[i].ns.load());
    }
    return text + "}";
}

int main(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    if (first == "--list") {
        puts(kind_names("\n").c_str());
        return 0;
    }
    if (first == "--orders" && argc == 5 && std::string_view(argv[3]) == "--out")
        return serve(argv[2], argv[4]);
    if (first == "--read") {  // for the kind pipe_inherited: waiter --read FD REPORT_FD
        char byte;
        const uint64_t begin = boottime_ns();
        if (argc != 4 || read(atoi(argv[2]), &byte, 1) != 1)
            return 1;
        const uint64_t ns = boottime_ns() - begin;
        return write(atoi(argv[3]), &ns, sizeof ns) == sizeof ns ? 0 : 1;
    }
    if (argc != 3) {
        fputs("usage: waiter KIND SECONDS | --orders FIFO --out DIRECTORY | --list\n", stderr);
        return 2;
    }
    fputs(perform(argv[1], atof(argv[2])).c_str(), stdout);
    return 0;
}
