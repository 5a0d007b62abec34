#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the given groups (deploy/packages). Quick, and without the network, when nothing is
# missing. Services that packages bring are not started.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [ $# -eq 0 ]; then
    echo "usage: ${0##*/} GROUP…    groups: $(awk '!/^#/ && NF { print $1 }' "$here/packages" | sort -u | xargs)" >&2
    exit 2
fi

wanted=()
for group in "$@"; do
    mapfile -t found < <(awk -v group="$group" '$1 == group { for (i = 2; i <= NF; ++i) print $i }' "$here/packages")
    if [ ${#found[@]} -eq 0 ]; then
        echo "${0##*/}: no group \"$group\" in deploy/packages" >&2
        exit 2
    fi
    wanted+=("${found[@]}")
done

missing=()
for entry in "${wanted[@]}"; do
    package=${entry%%/*} # "npm/npm": the command may come from elsewhere
    if [ "$package" != "$entry" ] && command -v "${entry#*/}" >/dev/null; then continue; fi
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "${0##*/}: this host is not a Debian; install the equivalents of: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "${0##*/}: needs root to install: ${missing[*]}" >&2
    exit 1
fi

echo "installing: ${missing[*]}"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=
clean_up() {
    rm -f "$log"
    [ -z "$made_policy" ] || rm -f "$policy"
}
trap clean_up EXIT
if [ ! -e "$policy" ]; then # Docker, containerd and Prometheus would start right away
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends)
if ! { apt-get -q update && "${apt[@]}" install "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "${0##*/}: apt-get failed; the end of its output is above" >&2
    exit 1
fi
