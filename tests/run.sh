#!/usr/bin/env bash
# The tests: builds the release library that they preload and the companion that reads what it
# writes, then runs everything, and closes with the sum.
#
# A test that fails is run once more, alone: many tests watch processes in real time, beside all others. Up to
# five may pass that way, and the sum names them. More than five are no accident.
#
#   tests/run.sh [ARGUMENTS OF cargo test]    all of them
#   tests/run.sh --quick                      in under a minute after the build: the units of all crates, all
#                                             goldens but the page, and the preload tests that take a moment
set -euo pipefail
cd "$(dirname "$0")/.."

# What --quick runs: test programs, and of those that preload the library, tests by the beginnings of their names.
quick=(build_ids diff dump export format golden leaks memory_refused options pictures ratio reading report rooms run
    tables_bounded unwind_garbage unwind_process)
quick_preload=(company:: config:: control::a_dump descriptors:: dumps:: files:: fork::parent_and_child ground_truth:: hazards::
    jumps:: load:: mappings:: operators:: options:: privilege:: silence:: statistics:: unmoved::)

report=$(mktemp)
trap 'rm -f "$report" "$report.again"' EXIT
status=0

# tested ARGUMENTS: the library is built by itself, and no crate has examples in its documentation.
tested() { cargo test --no-fail-fast --workspace --exclude preload "$@" 2>&1 | tee -a "$report" || status=$?; }

# The names of the tests that failed in the report $1: the list before each result.
failures() {
    awk '/^failures:$/ { listed = 1 } /^test result:/ { listed = 0 }
         listed && /^    [A-Za-z0-9_:]+$/ { print $1 }' "$1" | sort -u
}

# sum REPORT: how many passed, failed and were skipped in it.
sum() {
    awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
         END { printf "%d %d %d\n", passed, failed, skipped }' "$1"
}

# Runs what failed once more, one after the other. Sets `again` to how many passed. A test program that ended
# without a result has crashed, and stays failed.
run_again() {
    local names
    mapfile -t names < <(failures "$report")
    [ "${#names[@]}" = "$failed" ] && [ "$failed" -le 5 ] || return 0
    [ "$(grep -c '^error: test failed' "$report")" = "$(grep -c '^test result: FAILED' "$report")" ] || return 0
    printf '\nonce more, alone: %s\n' "${names[*]}"
    cargo test --no-fail-fast --workspace --exclude preload --lib --bins --tests -- \
        --exact --test-threads=1 "${names[@]}" 2>&1 | tee "$report.again" || return 0
    read -r again _ _ < <(sum "$report.again")
    [ "$again" = "$failed" ] || return 0
    status=0
    printf '\n%s\n' "passed only when run alone: ${names[*]}"
}

cargo build --quiet --release -p preload
# The companion carries that library: no second one is built. The tests name the library that they are about, but for those of
# the carried one.
MALLOSCOPE_EMBED=$(realpath "${CARGO_TARGET_DIR:-target}/release/libmalloscope.so") cargo build --quiet --release -p jeprof-compat
if [ "${1:-}" = --quick ]; then
    cargo test --quiet --workspace --exclude preload --lib --bins --tests --no-run
    SECONDS=0
    tested --lib --bins "${quick[@]/#/--test=}"
    tested --test docs -- --skip console_blocks
    tested --test preload -- "${quick_preload[@]}"
else
    tested --lib --bins --tests "$@"
fi
read -r passed failed skipped < <(sum "$report")
again=0
[ "$failed" = 0 ] || run_again
echo "$((passed + again)) passed, $((failed - again)) failed, $skipped skipped"
[ "${1:-}" != --quick ] || echo "$SECONDS s"
exit "$status"
