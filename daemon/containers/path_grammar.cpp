// SPDX-License-Identifier: Apache-2.0
#include "containers/path_grammar.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace plimsoll {
namespace {

constexpr std::size_t kFullId = 64;   ///< hex digits of the ids of Docker, Podman, CRI-O and CRI containers
constexpr std::size_t kShortId = 12;  ///< what a prefix such as `docker-` makes credible already
constexpr std::size_t kMinPodUid = 8;
constexpr std::size_t kMaxPodUid = 64;

/// A directory name that is a container wherever it stands: prefix, hexadecimal id, suffix.
struct Form {
    std::string_view prefix, suffix;
    Runtime runtime;
};
// Helpers such as `libpod-conmon-<id>.scope` fail because what follows the prefix is not hexadecimal.
constexpr Form kForms[] = {
    {"docker-", ".scope", Runtime::docker},
    {"cri-containerd-", ".scope", Runtime::containerd},
    {"nerdctl-", ".scope", Runtime::containerd},
    {"crio-", ".scope", Runtime::crio},
    {"crio-", "", Runtime::crio},
    {"libpod-", ".scope", Runtime::podman},
    {"libpod-payload-", "", Runtime::podman},
    {"libpod-", "", Runtime::podman},
    // A systemd-style `slice:prefix:id` that a runtime with the cgroupfs driver took literally.
    {":docker:", "", Runtime::docker},
    {":cri-containerd:", "", Runtime::containerd},
    {":nerdctl:", "", Runtime::containerd},
    {":crio:", "", Runtime::crio},
    {":libpod:", "", Runtime::podman},
};

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_id(std::string_view text, std::size_t shortest) {
    return text.size() >= shortest && text.size() <= kFullId && is_hex(text);
}

/// What stands between prefix and suffix; nothing when either is missing or nothing is between them.
std::optional<std::string_view> between(std::string_view text, std::string_view prefix,
                                        std::string_view suffix) {
    if (text.size() <= prefix.size() + suffix.size() || !text.starts_with(prefix) ||
        !text.ends_with(suffix)) {
        return std::nullopt;
    }
    return text.substr(prefix.size(), text.size() - prefix.size() - suffix.size());
}

bool is_pod_uid(std::string_view text) {
    return text.size() >= kMinPodUid && text.size() <= kMaxPodUid && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
           });
}

/// `pod<uid>` below some kubepods directory, or `…kubepods…-pod<uid with _>.slice` (also before a ':').
std::string pod_uid_of(std::string_view component, bool below_kubepods) {
    if (const auto uid = between(component, "pod", ""); below_kubepods && uid && is_pod_uid(*uid)) {
        return std::string(*uid);
    }
    std::string slice = unescape_unit(component.substr(0, component.find(':')));
    const auto stem = between(slice, "", ".slice");
    const auto pod = stem ? stem->rfind("-pod") : std::string_view::npos;
    if (pod == std::string_view::npos || stem->substr(0, pod).find("kubepods") == std::string_view::npos) {
        return {};
    }
    std::string uid(stem->substr(pod + 4));
    std::ranges::replace(uid, '_', '-');
    return is_pod_uid(uid) ? uid : std::string();
}

PathMatch named(Runtime runtime, std::string name) {
    PathMatch match;
    match.runtime = runtime;
    match.id = name;
    match.name = std::move(name);
    return match;
}

PathMatch with_id(Runtime runtime, std::string_view id, bool candidate = false) {
    PathMatch match;
    match.runtime = runtime;
    match.id = id;
    match.candidate = candidate;
    return match;
}

/// LXC (`lxc.payload.NAME`, and as two directories) and machines of systemd-nspawn.
std::optional<PathMatch> match_machine(std::string_view component, std::string_view parent) {
    if (const auto name = between(component, "lxc.payload.", "")) {
        return named(Runtime::lxc, std::string(*name));
    }
    if (parent == "lxc" || parent == "lxc.payload") {
        return named(Runtime::lxc, std::string(component));
    }
    if (!parent.ends_with(".slice")) {
        return std::nullopt;
    }
    if (const auto name = between(component, "systemd-nspawn@", ".service")) {
        return named(Runtime::nspawn, unescape_unit(*name));
    }
    // libvirt registers its virtual machines as machine-qemu\x2d<number>\x2d<name>.scope: not containers.
    if (const auto name = between(component, "machine-", ".scope"); name && !name->starts_with("qemu\\x2d")) {
        return named(Runtime::nspawn, unescape_unit(*name));
    }
    return std::nullopt;
}

/// One directory after the other, from the root down; `match` is the innermost container so far.
class Walk {
  public:
    void step(std::string_view component, std::size_t end);
    std::optional<PathMatch> match;

  private:
    std::optional<PathMatch> container(std::string_view component) const;
    std::optional<PathMatch> candidate(std::string_view component) const;
    std::optional<PathMatch> service(std::string_view component) const;
    void remember(std::string_view component, bool matched);

    std::string_view parent_;  ///< empty at the root and directly below a container
    std::size_t depth_ = 0;
    std::string pod_uid_;  ///< of the innermost pod, until a container is found in it
    std::string user_;
    bool parent_is_pod_ = false;
    bool below_kubepods_ = false;
    bool in_container_ = false;  ///< below one that is certain, services aside
    bool in_service_ = false;    ///< below a service other than a user's manager
    bool parent_is_user_manager_ = false;
};

std::optional<PathMatch> Walk::container(std::string_view component) const {
    for (const Form& form : kForms) {
        // The forms with colons stand at the end of a directory name, the others are the whole of it.
        const auto start = form.prefix.starts_with(':') ? component.rfind(form.prefix) : 0;
        if (start == std::string_view::npos) {
            continue;
        }
        const auto id = between(component.substr(start), form.prefix, form.suffix);
        if (id && is_id(*id, kShortId)) {
            return with_id(form.runtime, *id);
        }
    }
    if (parent_ == "docker" && is_id(component, kFullId)) {
        return with_id(Runtime::docker, component);
    }
    if (parent_is_pod_ && is_id(component, kShortId)) {
        return with_id(Runtime::kubernetes, component);
    }
    return match_machine(component, parent_);
}

/// Directories whose form alone proves nothing: Docker's with a cgroup parent of the user's choice, and
/// ctr's, which are `/<namespace>/<id>` unless its user says otherwise.
std::optional<PathMatch> Walk::candidate(std::string_view component) const {
    const bool unit =
        component.ends_with(".slice") || component.ends_with(".service") || component.ends_with(".scope");
    const bool any_id =
        depth_ > 0 && !unit && !in_service_ && user_.empty() && component != "." && component != "..";
    const bool full_id = is_id(component, kFullId);
    // Inside a container anyone can make such directories, so that the runtime's files confirm nothing there.
    if (in_container_ || (!full_id && !any_id)) {
        return std::nullopt;
    }
    return with_id(full_id ? Runtime::docker : Runtime::containerd, component, true);
}

/// Units of the host's systemd and of its users' managers; what a service or container starts below is its
/// own.
std::optional<PathMatch> Walk::service(std::string_view component) const {
    const bool placed = depth_ == 0 || parent_.ends_with(".slice") || parent_is_user_manager_;
    if (in_container_ || in_service_ || !placed || !between(component, "", ".service")) {
        return std::nullopt;
    }
    // systemd writes an underscore before a unit name that would read like one of the kernel's own files.
    return named(Runtime::systemd, std::string(component.substr(component.starts_with('_') ? 1 : 0)));
}

void Walk::step(std::string_view component, std::size_t end) {
    auto uid = pod_uid_of(component, below_kubepods_);
    const bool is_pod = !uid.empty();
    if (is_pod) {
        pod_uid_ = std::move(uid);
    }
    auto found = container(component);
    if (found) {
        in_container_ = true;
        found->pod_uid = std::exchange(pod_uid_, {});
    } else if (!is_pod) {
        found = service(component);
        found = found ? found : candidate(component);
    }
    const bool certain = found && !found->candidate;
    if (found) {
        found->length = end;
        found->user = user_;
        match = std::move(found);
    } else if (match) {
        match->exact = false;
    }
    remember(component, certain);
    parent_is_pod_ = is_pod && !certain;
}

/// What the next directory needs to know about this one; `matched`: it is a container or a service for
/// certain.
void Walk::remember(std::string_view component, bool matched) {
    const auto manager = between(component, "user@", ".service");
    const auto slice = between(component, "user-", ".slice");
    const auto uid = manager ? manager : slice;
    if (uid && is_digits(*uid) && !in_container_) {
        user_ = *uid;
    }
    parent_is_user_manager_ = matched && manager && is_digits(*manager);
    in_service_ = in_service_ || (matched && !parent_is_user_manager_);
    below_kubepods_ = below_kubepods_ || component.find("kubepods") != std::string_view::npos;
    parent_ = matched ? std::string_view() : component;
    ++depth_;
}

}  // namespace

std::string unescape_unit(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digits = text.substr(i, 4);
        unsigned char byte = 0;
        const char* const end = digits.data() + digits.size();
        if (digits.size() == 4 && digits.starts_with("\\x") &&
            std::from_chars(digits.data() + 2, end, byte, 16).ptr == end) {
            plain.push_back(static_cast<char>(byte));
            i += 3;
        } else {
            plain.push_back(text[i]);
        }
    }
    return plain;
}

std::optional<PathMatch> match_path(std::string_view path) {
    Walk walk;
    for (std::size_t start = 0; start < path.size();) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        if (end > start) {
            walk.step(path.substr(start, end - start), end);
        }
        start = end + 1;
    }
    return std::move(walk.match);
}

}  // namespace plimsoll
