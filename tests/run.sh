#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every test that this host can run, from a clean checkout, without questions. The last line has the counts.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
logs=$root/build/test-logs
suites=(unit meta bpf e2e vm asan tsan)

usage() {
    cat <<END
usage: sudo tests/run.sh [--only SUITE]… [--full]

Suites, in this order: ${suites[*]}. bpf, e2e, vm and a part of asan need root.
  --only SUITE   only this one; may be repeated
  --full         also what takes too long for every run: vm with each of its kernels and with more of the suites

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
        --full) full=(--full); shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
for name in ${only[@]+"${only[@]}"}; do
    [[ " ${suites[*]} " == *" $name "* ]] || { usage >&2; exit 2; }
done
[ ${#only[@]} -eq 0 ] || suites=("${only[@]}")

passed=0 failed=0 skipped=0 summary=()

# run NAME LIMIT COMMAND…: one suite or build step. Shows its output, then adds what it counted to the sums.
run() {
    local name=$1 limit=$2 begin=$SECONDS log=$logs/$1.log code p f s
    shift 2
    printf '\n=== %s\n' "$name"
    timeout --kill-after=30 "$limit" "$@" </dev/null 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    if [ "$code" = 124 ]; then echo "$name: not finished after $limit s" | tee -a "$log"; fi
    read -r p f s < <(count "$log" "$code")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    local result="$p passed, $f failed, $s skipped"
    if [ $((p + f + s)) = 0 ]; then result="done"; fi
    printf '=== %s: %s (%d s)\n' "$name" "$result" $((SECONDS - begin))
    summary+=("$(printf '%-16s %-40s %4d s' "$name" "$result" $((SECONDS - begin)))")
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

wanted() { [[ " ${suites[*]} " == *" $1 "* ]]; }
is_root() { [ "$(id -u)" = 0 ]; }

skip() { # NAME REASON: loudly, and in CI as a failure unless expected
    run "$1" 10 sh -c "echo 'SKIPPED: $1: $2'"
}

build() { # PRESET TARGET…
    local preset=$1
    shift
    # shellcheck disable=SC2016 # the inner shell expands them
    run "build $preset" 1800 sh -ec 'preset=$1; shift
        cmake --preset "$preset" -DPLIMSOLL_TESTS=ON >/dev/null
        cmake --build --preset "$preset" --target "$@"' sh "$preset" "$@"
}

python_suite() { # NAME LIMIT FILE…
    local name=$1 limit=$2
    shift 2
    run "$name" "$limit" python3 -u tests/support/run_python.py "$@"
}

mkdir -p "$logs"
run packages 1200 deploy/install-deps.sh build package demo tests || { echo "0 passed, 1 failed"; exit 1; }
if ! build release all; then
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    exit 1
fi

if wanted unit; then run unit 600 build/release/tests/unit_tests; fi
if wanted meta; then python_suite meta 600 tests/meta/*_test.py; fi
if wanted bpf && [ -e build/release/tests/bpf_tests ]; then
    if is_root; then run bpf 900 build/release/tests/bpf_tests; else skip bpf "needs root"; fi
fi
if wanted e2e; then
    if is_root; then python_suite e2e 1800 tests/e2e/test_*.py; else skip e2e "needs root"; fi
fi
if wanted vm; then
    if is_root; then run vm 3600 python3 -u tests/vm/run.py ${full[@]+"${full[@]}"}; else skip vm "needs root"; fi
fi

# The sanitizers' runtimes want a plain address space: setarch -R turns its randomisation off.
plain=(setarch "$(uname -m)" -R)
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
if wanted asan && build asan plimsoll unit_tests; then
    run "unit asan" 900 "${plain[@]}" build/asan/tests/unit_tests
    if is_root; then
        run "e2e asan" 600 env PLIMSOLL_BINARY="$root/build/asan/plimsoll" \
            "${plain[@]}" python3 -u tests/support/run_python.py tests/e2e/test_smoke.py
    else
        skip "e2e asan" "needs root"
    fi
fi
if wanted tsan && build tsan unit_tests; then
    run "unit tsan" 1800 "${plain[@]}" build/tsan/tests/unit_tests
fi

printf '\n=== summary (%d s)\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
counts="$passed passed, $failed failed"
[ "$skipped" = 0 ] || counts+=", $skipped skipped"
echo "$counts"
[ "$failed" = 0 ]
