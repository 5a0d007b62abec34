// SPDX-License-Identifier: Apache-2.0
// The configuration as plain structs with their defaults. config/plimsoll.yaml documents every key at its
// default, and a test holds the two against each other.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "containers/container.h"
#include "core/endpoint.h"

namespace plimsoll {

/// A rule of containers.include or containers.exclude. All given parts must match.
struct ContainerRule {
    std::optional<std::string> name, image, runtime, cgroup;  ///< runtime: one of the names, no glob
    std::map<std::string, std::string> labels;                ///< key: exact, value: glob
    std::optional<std::string> connects_to;                   ///< include only: see connection_address.h

    bool operator==(const ContainerRule&) const = default;
};

/// An entry of containers.cgroups: cgroup directories that are containers whatever their path says.
struct CgroupRule {
    std::string path;                 ///< glob over the whole cgroup path; '*' does not cross '/', '**' does
    std::optional<std::string> name;  ///< default: the last path component

    bool operator==(const CgroupRule&) const = default;
};

/// An entry of peers.networks: all peers in it are one.
struct PeerNetwork {
    Network network;
    std::string name;

    bool operator==(const PeerNetwork&) const = default;
};

enum class EventChannelKind { automatic, ringbuf, perf };
enum class IoMethod { automatic, fentry, syscalls };
enum class LogFormat { text, json, journal };
enum class LogLevel { trace, debug, info, warn, error };

struct ProbeConfig {
    bool enabled = true;    ///< default_config(): false for a PLIMSOLL_PROBE_OFF
    bool required = false;  ///< true: the daemon refuses to start without it

    bool operator==(const ProbeConfig&) const = default;
};

struct Config {
    struct Web {
        std::vector<std::string> listen{
            "127.0.0.1:9752"};    ///< host:port, [v6]:port (where civetweb has IPv6) or :port
        std::string config_file;  ///< TLS and passwords, see web_config.h; empty: neither

        bool operator==(const Web&) const = default;
    } web;

    struct Containers {
        std::vector<Runtime> discover{Runtime::docker, Runtime::containerd, Runtime::crio,
                                      Runtime::podman, Runtime::kubernetes, Runtime::lxc,
                                      Runtime::nspawn, Runtime::systemd};
        std::vector<ContainerRule> include;  ///< empty: all discovered
        std::vector<ContainerRule> exclude;  ///< wins over include
        std::vector<CgroupRule> cgroups;     ///< each match is one container; wins over discovery
        std::vector<std::string> labels;     ///< globs of runtime labels that container_info carries
        struct Roots {                       ///< where the runtimes keep their files
            std::vector<std::string> docker{"/var/lib/docker"};
            std::vector<std::string> containerd{"/run/containerd"};
            std::vector<std::string> podman{"/var/lib/containers/storage", "/run/containers/storage"};
            std::vector<std::string> crio{"/var/lib/containers/storage", "/run/containers/storage"};

            bool operator==(const Roots&) const = default;
        } roots;
        unsigned max = 512;  ///< 1 to 65536
        std::chrono::nanoseconds linger = std::chrono::seconds(60);

        bool operator==(const Containers&) const = default;
    } containers;

    struct Io {  ///< of probe io
        IoMethod method = IoMethod::automatic;
        bool latency = true;  ///< take the time of each call

        bool operator==(const Io&) const = default;
    } io;

    EventChannelKind events_channel = EventChannelKind::automatic;
    std::map<std::string, ProbeConfig> probes;  ///< one entry for each line of probes/list.inc
    struct Smoothing {
        std::chrono::nanoseconds tick = std::chrono::milliseconds(100);
        std::vector<std::chrono::nanoseconds> windows{std::chrono::seconds(1), std::chrono::seconds(10),
                                                      std::chrono::seconds(60)};

        bool operator==(const Smoothing&) const = default;
    } smoothing;

    struct Peers {
        unsigned max = 50;                         ///< series of peers for each container, 1 to 1000
        std::map<std::string, std::string> names;  ///< by what the peer would be called without it
        std::vector<PeerNetwork> networks;         ///< the first that contains an address gives its name

        bool operator==(const Peers&) const = default;
    } peers;

    bool self_bpf_stats = false;
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::text;

    bool operator==(const Config&) const = default;
};

/// What an empty file means: the defaults above, with an entry for each probe.
Config default_config();

}  // namespace plimsoll
