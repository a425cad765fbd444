#!/usr/bin/env bash
# Damaged input for every parser and for the grammar of the configuration, on stable Rust, for as long as it is told.
#
#   tests/fuzz.sh [MINUTES]    10 minutes without a number
#
# A third of the time goes to profiles (jeprof-compat/tests/hostile, which keeps a file that gives a panic), the rest to the
# properties of profile-format and of src/config, by more cases of proptest. Its findings become tests. `fuzz/` has the same
# targets for libFuzzer, which needs nightly.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-10}
end=$((SECONDS + minutes * 60))

MALLOSCOPE_FUZZ=$((minutes * 20)) cargo test --quiet -p jeprof-compat --test hostile -- --nocapture no_damage
while [ $SECONDS -lt $end ]; do
    PROPTEST_CASES=2000 cargo test --quiet -p malloscope-profile-format
    PROPTEST_CASES=2000 cargo test --quiet -p malloscope --lib -- config:: unwind::rule perf_map::
done
echo "$minutes minutes without a finding"
