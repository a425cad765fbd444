#!/usr/bin/env bash
# The tests: builds the release library that they preload and the companion that reads what it
# writes, then runs everything, and closes with the sum.
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
trap 'rm -f "$report"' EXIT
status=0

# tested ARGUMENTS: the library is built by itself, and no crate has examples in its documentation.
tested() { cargo test --no-fail-fast --workspace --exclude preload "$@" 2>&1 | tee -a "$report" || status=$?; }

cargo build --quiet --release -p preload
cargo build --quiet --release -p jeprof-compat
if [ "${1:-}" = --quick ]; then
    cargo test --quiet --workspace --exclude preload --lib --bins --tests --no-run
    SECONDS=0
    tested --lib --bins "${quick[@]/#/--test=}"
    tested --test docs -- --skip console_blocks
    tested --test preload -- "${quick_preload[@]}"
else
    tested --lib --bins --tests "$@"
fi
awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$report"
[ "${1:-}" != --quick ] || echo "$SECONDS s"
exit "$status"
