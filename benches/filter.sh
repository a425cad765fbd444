#!/usr/bin/env bash
# What the filter before every free costs, and what it lets on: blocks that are freed and allocated again at random
# among many live ones.
#
#   benches/filter.sh misses    instructions and cache misses of a pair beyond plain, by cachegrind (48 KiB and 2 MiB)
#   benches/filter.sh shares    of all frees, those that pass the filter of pages, and those that take a lock, by callgrind
#   benches/filter.sh times     nanoseconds of a pair in heaps of 1 MB to 6 GB, and of two threads, median of ratios
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
library=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/../target}/release/libmalloscope.so}
[ -f "$library" ] || { echo "no $library: cargo build --release -p preload" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CC:-cc}" -O2 -pthread -o "$work/live" "$here/live.c"

# The environment of a run. $1: "plain", or log2 of the period.
conf() {
    [ "$1" = plain ] || printf 'LD_PRELOAD=%s\nMALLOSCOPE_CONF=prof:true,prof_mem_max:2147483648,lg_prof_sample:%s\n' "$library" "$1"
}

# Instructions, first-level and last-level misses of one run: $1 period, then arguments of `live`.
cachegrind() {
    local period=$1
    shift
    env $(conf "$period") valgrind --tool=cachegrind --cache-sim=yes --D1=49152,12,64 --LL=2097152,16,64 \
        --cachegrind-out-file=/dev/null "$work/live" "$@" 2>&1 |
        awk '{ gsub(",", "") } /I +refs:/ { i = $NF } /D1 +misses:/ { d = $4 } /LLd misses:/ { l = $4 } END { print i, d, l }'
}

# Of one pair: two runs of different length subtracted.
pair() {
    paste -d ' ' <(cachegrind "$1" "$2" 100 0.5) <(cachegrind "$1" "$2" 100 2.5) |
        awk '{ printf "%.2f %.3f %.4f\n", ($4 - $1) / 2e6, ($5 - $2) / 2e6, ($6 - $3) / 2e6 }'
}

misses() {
    local live period plain
    printf '%-9s %-8s %12s %9s %9s\n' live period instructions D1 LL
    for live in 300000 4000000; do
        plain=$(pair plain $live)
        printf '%-9s %-8s %12s %9s %9s\n' $live plain $plain
        for period in 19 13; do
            pair $period $live | awk -v live=$live -v period=2^$period -v plain="$plain" \
                '{ split(plain, p, " "); printf "%-9s %-8s %+12.2f %+9.3f %+9.4f\n", live, period, $1 - p[1], $2 - p[2], $3 - p[3] }'
        done
    done
}

shares() {
    local period
    printf '%-8s %12s %14s %14s\n' period frees past-the-pages locked
    for period in 19 16 14 13; do
        env $(conf $period) valgrind --tool=callgrind --callgrind-out-file="$work/calls" "$work/live" 3000000 100 3 >/dev/null 2>&1
        callgrind_annotate --tree=calling --threshold=100 "$work/calls" >"$work/tree"
        awk -v period=2^$period '
            function calls(line) { match(line, /\([0-9,]+x\)/); n = substr(line, RSTART + 1, RLENGTH - 3); gsub(",", "", n); return n }
            / > .*free_sampled/ { past += calls($0) }
            / > .*let_sample_go/ { locked += calls($0) }
            END { printf "%-8s %12d %13.2f%% %13.2f%%\n", period, 3e6, past / 3e4, locked / 3e4 }' "$work/tree"
    done
}

times() {
    local heap threads period round
    printf '%-28s %9s %9s %9s %9s\n' heap plain 2^19 2^16 2^13
    for heap in '10000 100 4' '3000000 100 4' '40000000 100 4' '6000 1000000 0.4' '3000000 100 4 2'; do
        for round in 1 2 3 4 5; do
            for period in plain 19 16 13; do
                echo "$period $(env $(conf $period) "$work/live" $heap)"
            done
        done | awk -v heap="$heap" '
            $1 == "plain" { plain = $2; sum[++n] = $2 }
            $1 != "plain" { ratio[$1, n] = $2 / plain }
            function median(key,    i, k, list, swap) {
                for (i = 1; i <= n; i++) list[i] = key == "plain" ? sum[i] : ratio[key, i]
                for (i = 2; i <= n; i++)
                    for (k = i; k > 1 && list[k] < list[k - 1]; k--) { swap = list[k]; list[k] = list[k - 1]; list[k - 1] = swap }
                return list[int((n + 1) / 2)]
            }
            END { printf "%-28s %6.1f ns %9.3f %9.3f %9.3f\n", heap, median("plain"), median("19"), median("16"), median("13") }'
    done
}

case ${1:-} in
    misses | shares | times) "$1" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
