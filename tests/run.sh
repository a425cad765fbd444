#!/usr/bin/env bash
# All tests: builds the release library that they preload and the companion that reads what it
# writes, then runs everything.
#
#   tests/run.sh [ARGUMENTS OF cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release -p preload
cargo build --quiet --release -p jeprof-compat
exec cargo test --workspace --exclude preload "$@"
