#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over what a configured build compiles: tests/meta/tidy.sh [BUILD_DIR] [REGEX of files]
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/release}
if [ ! -f "$build/compile_commands.json" ]; then
    echo "tidy: $build/compile_commands.json is missing: cmake --preset ${build#build/} first" >&2
    exit 1
fi
exec run-clang-tidy-19 -quiet -p "$build" "${2:-$PWD/(daemon|tests)/}"
