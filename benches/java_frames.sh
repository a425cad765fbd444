#!/usr/bin/env bash
# What a Java frame of a sampled stack costs, in nanoseconds of processor time.
#
#   benches/java_frames.sh [ROUNDS [LIBRARY...]]      7 rounds of the release library by default
#
# Every allocation is sampled, under stacks of two depths; the difference of the two runs, divided by the frames and the samples of
# a round, is one frame. Libraries take turns within a round, so that slow changes of a shared machine meet all of them; the table
# has the median of the rounds, with the lowest and the highest. JAVA_HOME chooses the JDK.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
rounds=${1:-7}
shift || true
libraries=("$@")
[ ${#libraries[@]} -gt 0 ] || libraries=("${MALLOSCOPE_LIB:-$here/../target/release/libmalloscope.so}")
for library in "${libraries[@]}"; do
    [ -f "$library" ] || { echo "no $library: cargo build --release -p preload" >&2; exit 1; }
done
bin=${JAVA_HOME:+$JAVA_HOME/bin/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${bin}javac" -d "$work" "$here/java/Deep.java"
shallow=4 deep=104 each=50

# Nanoseconds of one round. $1: library, then depth and descents, then flags.
round() {
    local library=$1 depth=$2 descents=$3
    shift 3
    LD_PRELOAD=$library MALLOSCOPE_CONF=$conf "${bin}java" "$@" -XX:+UseSerialGC -cp "$work" Deep "$depth" $each "$descents"
}

# Samples that a round takes: of all that a dump counts, what more rounds add.
samples() {
    local -a sums
    local descents
    for descents in 10 60; do
        conf=prof:true,prof_final:true,prof_accum:true,lg_prof_sample:0,prof_prefix:$work/dump round "${libraries[0]}" $shallow "$descents" >/dev/null
        sums+=("$(awk '/^# stack/ { for (i = 1; i <= NF; i++) if (sub(/^alloc=/, "", $i)) { split($i, n, ":"); sum += n[1] } } END { print sum }' "$work"/dump.*.f.heap)")
        rm -f "$work"/dump.*
    done
    awk "BEGIN { print int((${sums[1]} - ${sums[0]}) / (2 * $each * 50) + 0.5) }"
}

each_round=$(samples)
conf=prof:true,prof_accum:true,lg_prof_sample:0
for ((i = 0; i < rounds; i++)); do
    for library in "${libraries[@]}"; do
        for mode in interpreted compiled; do
            flags=()
            [ $mode = compiled ] || flags=(-Xint)
            few=$(round "$library" $shallow 400 "${flags[@]}")
            many=$(round "$library" $deep 400 "${flags[@]}")
            awk "BEGIN { print \"$library\", \"$mode\", ($many - $few) / ($each_round * ($deep - $shallow)), $few / $each_round }"
        done
    done
done >"$work/runs"

echo "$rounds rounds, $each_round samples of each allocation; nanoseconds"
sort -k1,1 -k2,2 -k3,3n "$work/runs" | awk '
    function put() { if (count) printf "%-44s %-12s %7.1f a frame (%.1f-%.1f)\n", library, mode, value[int((count + 1) / 2)], value[1], value[count] }
    { if ($1 != library || $2 != mode) { put(); count = 0 } library = $1; mode = $2; value[++count] = $3 }
    END { put() }'
