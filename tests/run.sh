#!/usr/bin/env bash
# All tests: builds the release library that they preload and the companion that reads what it
# writes, then runs everything, and closes with the sum.
#
#   tests/run.sh [ARGUMENTS OF cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release -p preload
cargo build --quiet --release -p jeprof-compat
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
# No crate has examples in its documentation, so nothing is left out.
cargo test --workspace --exclude preload --lib --bins --tests "$@" 2>&1 | tee "$report" || status=$?
awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$report"
exit "$status"
