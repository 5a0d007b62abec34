# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The quickstart's demo containers: plain runc, one busybox, cgroups /plimsoll-demo/NAME. Sourced by quickstart.sh.
# In /var/lib, because /run is often mounted noexec.
demo_sources=$(dirname "${BASH_SOURCE[0]}")
demo_dir=/var/lib/plimsoll-demo
demo_names=(burn disk pipe lock)

demo_runc() {
    runc --root "$demo_dir/state" "$@"
}

demo_command() { # NAME → its program as JSON
    case $1 in
        burn) echo '["sh", "-c", "while :; do :; done"]' ;;
        disk) echo '["sh", "-c", "while :; do dd if=/dev/zero of=/data/file bs=64k count=16 conv=fsync 2>/dev/null; done"]' ;;
        pipe) echo '["sh", "-c", "while :; do sleep 1; echo tick; done | dd of=/dev/null"]' ;;
        lock) echo '["/lock_fight"]' ;;
    esac
}

demo_start() {
    demo_stop
    local root=$demo_dir/rootfs name bundle
    mkdir -p "$root"/{bin,proc,dev,sys,data}
    cp /bin/busybox "$root/bin/"
    for name in sh dd sleep; do ln -sf busybox "$root/bin/$name"; done
    g++ -O2 -static -pthread -o "$root/lock_fight" "$demo_sources/lock_fight.cpp"
    for name in "${demo_names[@]}"; do
        bundle=$demo_dir/$name
        mkdir -p "$bundle/data"
        demo_config "$name" "$bundle" >"$bundle/config.json"
        demo_runc run -d -b "$bundle" --pid-file "$bundle/pid" "$name" </dev/null >"$bundle/log" 2>&1 ||
            { cat "$bundle/log" >&2; return 1; }
    done
}

demo_config() { # NAME BUNDLE; burn may use half a CPU, the others are slow by nature
    local quota=50000
    [ "$1" = burn ] || quota=20000
    cat <<END
{"ociVersion": "1.0.2",
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": $(demo_command "$1")},
 "root": {"path": "$demo_dir/rootfs", "readonly": true},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "mode=755"]},
            {"destination": "/data", "type": "bind", "source": "$2/data", "options": ["rbind", "rw"]}],
 "linux": {"cgroupsPath": "/plimsoll-demo/$1",
           "resources": {"cpu": {"quota": $quota, "period": 100000}, "memory": {"limit": 67108864}},
           "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}]}}
END
}

demo_stop() {
    [ -d "$demo_dir" ] || return 0
    local name
    for name in "${demo_names[@]}"; do
        demo_runc delete --force "$name" >/dev/null 2>&1 || true
    done
    find /sys/fs/cgroup -maxdepth 2 -type d -name plimsoll-demo -exec rmdir {} + 2>/dev/null || true
    rm -rf "$demo_dir"
}
