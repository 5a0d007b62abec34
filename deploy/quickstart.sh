#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 to a running agent, in one command that can be repeated.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
program=$root/build/release/plimsoll
run_dir=/run/plimsoll
pid_file=$run_dir/agent.pid
log=$run_dir/agent.log
listen=${PLIMSOLL_LISTEN:-127.0.0.1:9752}
# shellcheck source=demo/demo.sh
. "$here/demo/demo.sh"

usage() {
    cat <<END
usage: sudo ./deploy/quickstart.sh [--demo [--keep]] [--stop]

Installs what is needed, builds the agent, checks this host, starts the agent in the background and shows where every
second of every thread of the containers here goes.

  --demo   also starts a few demo containers (runc and busybox) and removes them at the end
  --keep   leaves the demo containers running until --stop
  --stop   stops the agent and removes the demo containers

PLIMSOLL_LISTEN is the agent's address (127.0.0.1:9752). State and log: $run_dir.
END
}

step_number=0
step() { # TITLE COMMAND…: runs it, shows its duration, and its output only when it fails
    local title=$1 begin=$SECONDS output
    shift
    step_number=$((step_number + 1))
    printf '[%d/%d] %s … ' "$step_number" "$steps" "$title"
    output=$(mktemp)
    set +e # in a subshell of its own and not as a condition, or the shell would ignore errors inside
    (set -e; "$@") </dev/null >"$output" 2>&1
    local code=$?
    set -e
    if [ "$code" = 0 ]; then
        echo "done ($((SECONDS - begin)) s)"
        rm -f "$output"
    else
        echo "failed ($((SECONDS - begin)) s)"
        tail -n 60 "$output" >&2
        rm -f "$output"
        exit 1
    fi
}

build() {
    cd "$root"
    # A tree that the tests configured keeps them; the program's own objects are the same either way.
    local tests=()
    [ -f build/release/build.ninja ] || tests=(-DPLIMSOLL_TESTS=OFF)
    cmake --preset release "${tests[@]}"
    cmake --build --preset release --target plimsoll
    [ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" build
}

agent_pid() { # prints the pid of the agent that this script started, if it still runs
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "plimsoll daemon " || return 1
    echo "$pid"
}

is_current() { # the running agent is the program as it is built now, with the same settings
    local pid
    pid=$(agent_pid) && [ "/proc/$pid/exe" -ef "$program" ] && curl -sf -o /dev/null "http://$listen/readyz" &&
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "${agent_arguments[*]}"
}

start_agent() {
    is_current && return 0
    stop_agent
    if curl -s -o /dev/null "http://$listen/"; then
        echo "something else answers on $listen; choose another address: sudo PLIMSOLL_LISTEN=127.0.0.1:9753 $0"
        return 1
    fi
    setsid "$program" "${agent_arguments[@]}" </dev/null >"$log" 2>&1 &
    local pid=$! tries
    echo "$pid" >"$pid_file"
    for ((tries = 0; tries < 300; ++tries)); do
        ! curl -sf -o /dev/null "http://$listen/readyz" || { kill -0 "$pid" && return 0; }
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "the agent did not become ready; its log ($log):"
    tail -n 30 "$log"
    rm -f "$pid_file"
    kill "$pid" 2>/dev/null || true
    return 1
}

stop_agent() {
    local pid tries
    pid=$(agent_pid) || return 0
    kill "$pid"
    for ((tries = 0; tries < 100; ++tries)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$pid_file"
}

show_seconds() { # the containers with the most CPU time, and where their threads' seconds went
    awk '
        function label(name,    start) {
            if (!match($0, "[{,]" name "=\"([^\"\\\\]|\\\\.)*\"")) return ""
            start = RSTART + length(name) + 3
            return substr($0, start, RLENGTH - length(name) - 4)
        }
        /^container_thread_seconds_total\{/ {
            name = label("name"); if (name == "") name = label("id")
            seconds[name, label("state")] += $NF
            busy[name] += label("state") == "running" ? $NF : 0
        }
        END {
            count = split("running runnable disk futex poll socket unix pipe sleep child io_uring fault blocked stopped other", states)
            for (name in busy) {
                line = ""
                for (i = 1; i <= count; ++i) if (seconds[name, states[i]] >= 0.01)
                    line = line sprintf(" %s %.2f", states[i], seconds[name, states[i]])
                printf "%.6f\t%.40s\t%s\n", busy[name], name, line
            }
        }' <<<"$page" | sort -rn | awk 'NR <= 8' | while IFS=$'\t' read -r _ name line; do
            printf '  %-24s%s\n' "$name" "$line"
        done
}

demo=no keep=no stop=no
for argument in "$@"; do
    case $argument in
        --demo) demo=yes ;;
        --keep) keep=yes ;;
        --stop) stop=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
if [ "$(id -u)" != 0 ]; then
    echo "quickstart: needs root, because it installs packages and loads kernel programs: sudo ./deploy/quickstart.sh $*" >&2
    exit 1
fi
if [ "$stop" = yes ]; then
    stop_agent
    demo_stop
    echo "The agent is stopped, demo containers are removed."
    exit 0
fi

groups=(build)
steps=4
config=$run_dir/quickstart.yaml
if [ "$demo" = yes ]; then
    groups+=(demo)
    steps=6
elif [ -f /etc/plimsoll/plimsoll.yaml ]; then
    config=/etc/plimsoll/plimsoll.yaml
fi
agent_arguments=(daemon --config "$config" --web.listen-address "$listen")

step "Installing Debian packages" "$here/install-deps.sh" "${groups[@]}"
step "Building build/release/plimsoll" build
mkdir -p "$run_dir"
# A demo container is known by its cgroup; all else is at the built-in defaults.
printf 'containers:\n  cgroups:\n    - path: "/plimsoll-demo/*"\n' >"$run_dir/quickstart.yaml"
step "Checking this host" "$program" check --config "$config"
if [ "$demo" = yes ] && [ "$keep" = no ]; then
    trap demo_stop EXIT
fi
step "Starting the agent" start_agent
if [ "$demo" = yes ]; then
    step "Starting demo containers: ${demo_names[*]}" demo_start
    step "Letting them work for 10 seconds" sleep 10
fi

echo
echo "The agent runs (pid $(cat "$pid_file"), log $log)."
echo "  http://$listen/         for people: CPU, waits, memory and threads by state of each container"
echo "  http://$listen/metrics  for Prometheus; docs/prometheus-and-grafana.md has a dashboard, too"
echo "  $program check   what works on this host and what does not"
echo "  sudo ./deploy/quickstart.sh --stop   stops it"
echo
page=$(curl -sf "http://$listen/metrics")
if [[ $page == *$'\n'"container_thread_seconds_total{"* ]]; then
    echo "Seconds that the threads of each container spent, by state:"
    show_seconds
else
    echo "There is no container on this host. To see the agent at work with a few demo containers:"
    echo "  sudo ./deploy/quickstart.sh --demo"
fi
if [ "$demo" = yes ] && [ "$keep" = no ]; then
    echo
    if [ -t 0 ] && [ -t 1 ]; then
        read -r -p "Press Enter to remove the demo containers; the agent goes on. " _ || true
    fi
    demo_stop
    trap - EXIT
    echo "The demo containers are removed. With --keep they stay until --stop."
fi
