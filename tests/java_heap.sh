#!/usr/bin/env bash
# What takes too long for a test of the Java heap, in every JDK of /usr/lib/jvm and MALLOSCOPE_JAVA_HOMES.
#
#   tests/java_heap.sh storm [SECONDS] [THREADS]   each collector: allocating threads, classes that come and go, a dump
#                                                  each second and a collection before it; ends well, whole dumps
#
# What the start and the end cost says `tests/java.sh exit=21`.
#
# Needs `cargo build --release -p preload` and a javac.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
library=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/target}/release/libmalloscope.so}
[ -f "$library" ] || { echo "$library is missing" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$library" "$work/libmalloscope.so"
javac --release 11 -d "$work" "$here"/tests/programs/java/HeapStorm.java

fail() { echo "FAILED: $*" >&2; exit 1; }

homes() {
    local home more=${MALLOSCOPE_JAVA_HOMES:-}
    for home in /usr/lib/jvm/* ${more//:/ }; do
        [ ! -x "$home/bin/java" ] || readlink -f "$home"
    done | sort -u
}

# run CONF COMMAND: ends it after two minutes and three times what `seconds` says
run() {
    local conf="prof:true,prof_java_heap:true,prof_prefix:$work/dump,$1"
    shift
    timeout -s KILL $((${seconds:-0} * 3 + 120)) \
        env "MALLOSCOPE_CONF=$conf" "LD_PRELOAD=$work/libmalloscope.so" "$@"
}

# storm HOME COLLECTOR SECONDS THREADS
storm() {
    local status=0 seconds=$3 dump dumps
    local flags=(-Xmx600m -Xcheck:jni -XX:+UnlockExperimentalVMOptions "-XX:+Use$2GC" -cp "$work")
    "$1/bin/java" "${flags[@]}" -version >"$work/version" 2>&1 || { echo "$1 has no $2"; return; }
    rm -f "$work"/dump.*
    run lg_prof_sample:12,prof_timer:1,prof_final:true,prof_java_heap_gc:true \
        "$1/bin/java" "${flags[@]}" HeapStorm "$3" "$4" || status=$?
    [ $status = 3 ] || fail "$1 $2 ended with $status"
    dumps=("$work"/dump.*.heap)
    for dump in "${dumps[@]}"; do
        [ "$(tail -n 1 "$dump")" = "# end" ] || fail "$dump is cut off"
    done
    # Of the last one.
    dump=$(ls -v "$work"/dump.*.heap | tail -n 1)
    echo "$1 $2: ${#dumps[@]} dumps;" \
        "$(sed -n 's/^#@ java_heap fact \(collections\|collections_forced\|references\|thinned\|dropped\) /\1 /p' "$dump" | paste -sd ' ')"
}

case ${1:-} in
storm)
    for home in $(homes); do
        for collector in G1 Z Parallel Serial Shenandoah; do
            storm "$home" $collector "${2:-60}" "${3:-40}"
        done
    done
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
