#!/usr/bin/env bash
# The tests that take minutes. Each argument names one and bounds it; without arguments all run with
# the values shown here.
#
#   tests/long.sh [kill=1000] [truth=180] [dlopen=60] [churn=80] [races=1]
#
#   kill=N     N processes are killed at random moments: every dump is whole, the last is read
#   truth=S    for S seconds, exact mode against the program's own account: 32 threads, 0 to 64 MiB
#   dlopen=S   for S seconds, a hundred threads load, unload and throw, others allocate and fork
#   races=N    N times the locks and tables under loom, in every order of threads
#   churn=M    resident memory after M million operations, as a ratio to a run without the profiler
#
# Needs `cargo build --release` of preload and jeprof-compat. Ends with status 1 at the first failure.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
library=${MALLOSCOPE_LIB:-$target/release/libmalloscope.so}
reader=$target/release/jeprof-compat
for file in "$library" "$reader"; do
    [ -f "$file" ] || { echo "$file is missing: tests/run.sh builds it" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$library" "$work/libmalloscope.so"
library=$work/libmalloscope.so

fail() { echo "FAILED: $*" >&2; exit 1; }

# compile OUTPUT SOURCE [FLAGS]
compile() {
    local output=$work/$1 source=$here/tests/programs/$2
    shift 2
    local compiler=cc
    [ "${source##*.}" = c ] || compiler=c++
    "$compiler" -g -O1 -fno-builtin -pthread "$@" -o "$output" "$source" -ldl
}

check_dump() {
    local first last
    first=$(head -n 1 "$1") last=$(tail -n 1 "$1")
    [ "${first%%/*}" = heap_v2 ] && [ "$last" = "# end" ] || fail "$1 is cut off"
}

kill_at_random() {
    local conf=prof:true,lg_prof_sample:11,lg_prof_interval:20,prof_dump_live:true,prof_keep:5
    local dumps=0 program pid i
    compile churn churn.c
    for ((i = 0; i < $1; i++)); do
        rm -f "$work"/k.*
        # Not the shell's own child: it would report each death.
        MALLOSCOPE_CONF=$conf,prof_prefix:$work/k LD_PRELOAD=$library "$work/churn" 4000000 >/dev/null &
        pid=$!
        disown "$pid"
        sleep "0.0$((RANDOM % 9))$((RANDOM % 10))$((RANDOM % 10))"
        kill -KILL "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.001; done
        program=
        for file in $(ls -tr "$work"/k.*.heap 2>/dev/null); do
            check_dump "$file"
            program=$file
            dumps=$((dumps + 1))
        done
        if [ -n "$program" ] && ((i % 20 == 0)); then
            "$reader" --text "$work/churn" "$program" >/dev/null 2>"$work/said" || fail "$(cat "$work/said")"
        fi
    done
    echo "kill: $1 processes, $dumps dumps, all whole"
}

truth() {
    MALLOSCOPE_TEST_SECONDS=$1 cargo test --quiet --manifest-path "$here/Cargo.toml" --test preload -- \
        --ignored exact_mode_knows_blocks_of_every_size_for_minutes >"$work/said" 2>&1 ||
        { cat "$work/said"; fail truth; }
    echo "truth: $1 s, every account equal"
}

dlopen_storm() {
    local lg
    compile dlstorm dlstorm.cpp
    compile plugin.so plugin.cpp -shared -fPIC
    for lg in 0 12; do
        MALLOSCOPE_CONF=prof:true,lg_prof_sample:$lg,lg_prof_interval:26,prof_keep:3,prof_prefix:$work/d LD_PRELOAD=$library \
            timeout -s KILL $(($1 + 120)) "$work/dlstorm" "$work/plugin.so" $(($1 * 500)) 100 >"$work/said" ||
            fail "dlopen at 2^$lg: $(cat "$work/said")"
        echo "dlopen: 2^$lg, $(($1 / 2)) s, $(tr '\n' ' ' <"$work/said")"
    done
    rm -f "$work"/d.*
}

# A heap of 200 MB: what we take is some 1.5 MB in any program, and grows with the heap beyond that. Each figure
# is the sum of three runs, in turn with and without: behind jemalloc one run differs from the next by 2 %.
churn_memory() {
    local operations=$(($1 * 1000000)) blocks=510000 allocator behind lg plain with
    compile operations operations.c
    for allocator in glibc jemalloc; do
        behind=
        if [ $allocator = jemalloc ]; then
            behind=$(ls /usr/lib/*/libjemalloc.so.2 /usr/lib64/libjemalloc.so.2 2>/dev/null | head -n 1 || true)
            [ -n "$behind" ] || fail "libjemalloc.so.2 is not installed"
        fi
        for lg in 19 17; do
            plain=0 with=0
            for _ in 1 2 3; do
                plain=$((plain + $(LD_PRELOAD=$behind "$work/operations" $operations $blocks)))
                with=$((with + $(MALLOSCOPE_CONF=prof:true,lg_prof_sample:$lg,prof_prefix: LD_PRELOAD="$library $behind" \
                    "$work/operations" $operations $blocks)))
            done
            awk -v with=$with -v plain=$plain -v what="churn: $allocator, 2^$lg" -v million="$1" \
                'BEGIN { printf "%s: %d kB without, %d kB with, ratio %.4f after %d million operations\n", what, plain / 3, with / 3, with / plain, million }'
        done
    done
}

races() {
    local round
    for ((round = 0; round < $1; round++)); do
        (cd "$here/loom" && cargo test --quiet --release) >"$work/said" 2>&1 || { cat "$work/said"; fail races; }
    done
    echo "races: $1 times, none"
}

[ $# -gt 0 ] || set -- kill=1000 truth=180 dlopen=60 churn=80 races=1
for argument; do
    value=${argument#*=}
    case $value in '' | *[!0-9]*) fail "a number is missing: $argument" ;; esac
    case $argument in
        kill=*) kill_at_random "$value" ;;
        truth=*) truth "$value" ;;
        dlopen=*) dlopen_storm "$value" ;;
        churn=*) churn_memory "$value" ;;
        races=*) races "$value" ;;
        *) fail "unknown: $argument" ;;
    esac
done
