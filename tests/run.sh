#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every test that this host can run, from a clean checkout, without questions. The last line has the counts.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
logs=$root/build/test-logs
suites=(unit meta bpf e2e faults peers vm asan tsan)
with_full=(fuzz bench)

usage() {
    cat <<END
usage: sudo tests/run.sh [--only SUITE]… [--full]

Suites: ${suites[*]}, and with --full ${with_full[*]}. bpf, e2e, faults, peers, vm and a part of
asan need root. In this order; with the CPU time that is left over, the builds of asan and tsan, and then vm, run beside the others.
  --only SUITE   only this one; may be repeated
  --full         also what takes too long for every run: vm with each of its boots and with more of the suites, faults
                 with all that can be counted through, ten minutes of fuzzing, and peers and costs with many containers; several hours:
                 fuzz and bench half an hour, faults about one, each of the three boots of vm two, three at most

On 2 CPUs all takes some 40 minutes, 50 when they have other work; the summary says how long each suite took.

vm boots one of Debian's kernels 6.1 and 6.12, in turn from commit to commit, with systemd and cgroup v2 in emulation;
PLIMSOLL_VM_KERNEL=6.1 chooses.

A log of each suite is left in build/test-logs. With CI=true a skip that tests/support/expected_skips does not
expect is a failure.
END
}

only=() full=()
while [ $# -gt 0 ]; do
    case $1 in
        --only) only+=("${2:-}"); shift $(($# > 1 ? 2 : 1)) ;;
        --full) full=(--full); export PLIMSOLL_FULL=1; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
for name in ${only[@]+"${only[@]}"}; do
    [[ " ${suites[*]} ${with_full[*]} " == *" $name "* ]] || { usage >&2; exit 2; }
done
if [ ${#only[@]} != 0 ]; then
    suites=("${only[@]}")
elif [ ${#full[@]} != 0 ]; then
    suites+=("${with_full[@]}")
fi

passed=0 failed=0 skipped=0 summary=() causes=()

# run NAME LIMIT COMMAND…: one suite or build step. Shows its output, then adds what it counted to the sums.
run() {
    local name=$1 limit=$2 begin=$SECONDS
    shift 2
    printf '\n=== %s\n' "$name"
    timeout --kill-after=30 "$limit" "$@" </dev/null 2>&1 | tee "$logs/$name.log"
    add "$name" "$limit" "${PIPESTATUS[0]}" "$begin"
}

# aside NICE NAME LIMIT COMMAND…: the same without a word, for what runs beside the rest; finish NAME shows what became of it.
aside() {
    local nice=$1 name=$2 limit=$3 begin=$SECONDS code=0
    shift 3
    # By setsid, so that the scheduler can hold it back as a whole (sched_autogroup).
    # shellcheck disable=SC2016 # the inner shell expands them
    setsid sh -c 'echo "$0" >/proc/self/autogroup; exec "$@"' "$nice" \
        timeout --kill-after=30 "$limit" nice -n "$nice" "$@" </dev/null >"$logs/$name.log" 2>&1 &
    trap 'kill $! && wait $!; exit 143' TERM
    wait $! || code=$?
    echo "$limit $code $((SECONDS - begin))" >"$logs/$name.end.new"
    mv "$logs/$name.end.new" "$logs/$name.end"
}

finish() { # NAME
    local limit=0 code=1 seconds=0
    while [ ! -e "$logs/$1.end" ] && kill -0 "$beside"; do sleep 1; done
    read -r limit code seconds <"$logs/$1.end"
    printf '\n=== %s\n' "$1"
    cat "$logs/$1.log"
    add "$1" "$limit" "$code" $((SECONDS - seconds))
}

# What runs beside must not outlive this script.
beside=
end_beside() { [ -z "$beside" ] || { kill "$beside" && wait "$beside"; } 2>/dev/null; }
trap end_beside EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# add NAME LIMIT EXIT_CODE BEGIN: what the log of a suite that has ended counts.
add() {
    local name=$1 limit=$2 code=$3 begin=$4 log=$logs/$1.log p f s
    if [ "$code" = 124 ]; then echo "$name: not finished after $limit s" | tee -a "$log"; fi
    read -r p f s < <(count "$log" "$code")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    local result="$p passed, $f failed, $s skipped"
    if [ $((p + f + s)) = 0 ]; then result="done"; fi
    printf '=== %s: %s (%d s)\n' "$name" "$result" $((SECONDS - begin))
    summary+=("$(printf '%-16s %-40s %4d s' "$name" "$result" $((SECONDS - begin)))")
    if [ "$f" != 0 ]; then causes+=("$(printf '\n=== %s: what failed\n' "$name"; failures "$log")"); fi
    return "$code"
}

# Prints "passed failed skipped" of a log. Catch prints one of two summaries; run_python.py a COUNTS line.
count() { # LOG EXIT_CODE
    awk -v code="$2" -v ci="${CI:-}" -v expected="$root/tests/support/expected_skips" '
        BEGIN { while ((getline line < expected) > 0) if (line !~ /^(#|$)/) patterns[++n] = line }
        /^All tests passed \(/ { match($0, /in [0-9]+ test case/); passed += substr($0, RSTART + 3) + 0 }
        /^test cases: +[0-9]+ \|/ {
            for (i = 1; i < NF; ++i) {
                if ($(i + 1) == "passed") passed += $i
                if ($(i + 1) == "failed" && $(i + 2) != "as") failed += $i
            }
        }
        /^COUNTS: / { passed += $2; failed += $4; skipped += $6; counted = 1 }
        /^SKIPPED: / {
            if (!counted) ++seen
            wanted = 0
            for (i = 1; i <= n; ++i) if ($0 ~ patterns[i]) wanted = 1
            if (ci && ci != "false" && !wanted) { ++failed; print "unexpected skip: " $0 > "/dev/stderr" }
        }
        END {
            if (!counted) skipped = seen
            if (code != 0 && failed == 0) failed = 1 # it crashed, timed out, or did not build
            print passed + 0, failed + 0, skipped + 0
        }' "$1"
}

# Of a suite's log what failed and why: unittest's FAIL and ERROR, vm's failed, Catch's FAILED; else how it ended.
failures() { # LOG
    awk '
        { last[NR % 10] = $0 }
        /^(FAIL|ERROR): / || /^failed  / { inside = 1 }
        /^$/ || /^passed  / { inside = 0 }
        / FAILED:$/ { for (i = NR - 9; i < NR; ++i) if (i > 0) print last[i % 10]; more = 8 }
        inside || more > 0 { print; some = 1; --more }
        END { if (!some) for (i = NR - 9; i <= NR; ++i) if (i > 0) print last[i % 10] }' "$1" | cut -c 1-300 | head -n 40
}

wanted() { [[ " ${suites[*]} " == *" $1 "* ]]; }
is_root() { [ "$(id -u)" = 0 ]; }

skip() { # NAME REASON: loudly, and in CI as a failure unless expected
    run "$1" 10 sh -c "echo 'SKIPPED: $1: $2'"
}

build() { # WAY PRESET TARGET…: WAY is run, or aside NICE
    local way=$1 preset=$2
    shift 2
    # shellcheck disable=SC2016,SC2086 # the inner shell expands them; WAY is words
    $way "build $preset" 3600 sh -ec 'preset=$1; shift
        cmake --preset "$preset" -DPLIMSOLL_TESTS=ON >/dev/null
        cmake --build --preset "$preset" --target "$@"' sh "$preset" "$@"
}

python_suite() { # NAME LIMIT FILE…
    local name=$1 limit=$2
    shift 2
    run "$name" "$limit" python3 -u tests/support/run_python.py "$@"
}

mkdir -p "$logs"
rm -f "$logs"/*.end
run packages 1200 deploy/install-deps.sh build package demo tests bench || { echo "0 passed, 1 failed"; exit 1; }
if ! build run release all; then
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    exit 1
fi

behind() { # what is in no hurry
    if wanted asan; then build "aside 15" asan plimsoll unit_tests; fi
    if wanted tsan; then build "aside 15" tsan plimsoll unit_tests; fi
    if wanted vm && is_root; then aside 5 vm 33000 python3 -u tests/vm/run.py ${full[@]+"${full[@]}"}; fi
}
behind &
beside=$!

if wanted unit; then run unit 600 build/release/tests/unit_tests; fi
if wanted meta; then python_suite meta 600 tests/meta/*_test.py; fi
if wanted bpf && [ -e build/release/tests/bpf_tests ]; then
    if is_root; then run bpf 900 build/release/tests/bpf_tests; else skip bpf "needs root"; fi
fi
if wanted e2e; then
    if is_root; then python_suite e2e 2700 tests/e2e/test_*.py; else skip e2e "needs root"; fi
fi
if wanted faults; then
    if is_root; then python_suite faults $((${#full[@]} ? 14400 : 1800)) tests/faults/test_*.py
    else skip faults "needs root"; fi
fi

if wanted peers; then
    if is_root; then run peers 900 python3 -u tests/bench/peers/side_by_side_bench.py --containers 5 --seconds 3
    else skip peers "needs root"; fi
fi

# The sanitizers' runtimes want a plain address space: setarch -R turns its randomisation off.
plain=(setarch "$(uname -m)" -R)
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
asan=
if wanted asan && finish "build asan"; then
    asan=built
    run "unit asan" 1800 "${plain[@]}" build/asan/tests/unit_tests
fi
if wanted tsan && finish "build tsan"; then
    run "unit tsan" 1800 "${plain[@]}" build/tsan/tests/unit_tests
    if is_root; then
        run "faults tsan" 600 env PLIMSOLL_BINARY="$root/build/tsan/plimsoll" \
            "${plain[@]}" python3 -u tests/support/run_python.py tests/faults/test_scrapers.py:Many
    else
        skip "faults tsan" "needs root"
    fi
fi
if [ -n "$asan" ] && is_root; then
    run "e2e asan" 900 env PLIMSOLL_BINARY="$root/build/asan/plimsoll" \
        "${plain[@]}" python3 -u tests/support/run_python.py tests/e2e/test_smoke.py tests/e2e/test_reload.py
elif [ -n "$asan" ]; then
    skip "e2e asan" "needs root"
fi
if wanted vm; then
    if is_root; then finish vm; else skip vm "needs root"; fi
fi
if wanted fuzz; then run fuzz 3600 python3 -u tests/fuzz/run.py --seconds 60; fi  # ten minutes in all
if wanted bench; then
    run "bench curve" 1800 python3 -u tests/bench/peers/cost_curve_bench.py
    run "bench peers" 3600 python3 -u tests/bench/peers/side_by_side_bench.py
fi

if [ ${#causes[@]} != 0 ]; then printf '%s\n' "${causes[@]}"; fi
printf '\n=== summary (%d s)\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
counts="$passed passed, $failed failed"
[ "$skipped" = 0 ] || counts+=", $skipped skipped"
echo "$counts"
[ "$failed" = 0 ]
