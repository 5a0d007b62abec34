// SPDX-License-Identifier: Apache-2.0
// A container's identity as label text, rendered once when it is registered or renamed. Pure; any thread.
// Names, images and labels are hostile input: whatever they hold, the page stays valid UTF-8 and parses.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "containers/container.h"
#include "containers/glob.h"

namespace plimsoll {

/// No escaped label value is longer than this many bytes.
inline constexpr std::size_t kMaxLabelValue = 1024;

/// container_info carries at most this many runtime labels.
inline constexpr std::size_t kMaxInfoLabels = 64;

/// Appends `raw` as the inside of a quoted label value: backslash, quote and newline escaped; invalid UTF-8
/// and control characters (a terminal or a parser may trip over them) replaced by U+FFFD; cut to
/// kMaxLabelValue bytes between characters. False when something was lost, so that two values may now look
/// alike.
bool append_label_value(std::string& out, std::string_view raw);

/// `id="…",name="…",image="…"`, on Kubernetes also container, pod and namespace; empty ones are left out. An
/// id that could not be written faithfully ends in '#' and a hash of its bytes, so that ids stay distinct; so
/// does one whose path itself ends like that.
std::string render_labels(const Container& container);

/// What container_info adds: runtime, container_id, pod_uid, and as `label_<key>` the runtime labels whose
/// key one of `allowed` matches. Keys that become equal when sanitised: the first in order wins.
std::string render_info_labels(const Container& container, std::span<const Glob> allowed);

}  // namespace plimsoll
