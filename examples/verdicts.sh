#!/usr/bin/env bash
# Programs of known behaviour, half a minute each, in two shifts: what `malloscope run` says of each, and whether it is
# right. Expects target/release/libmalloscope.so and target/release/malloscope.
#
#   examples/verdicts.sh [DIR]     dumps and pages go to DIR/NAME; DIR is verdicts by default
#
# Exits with 1 when a verdict or a culprit is wrong. Without a JDK or Clojure theirs are left out, and so is the OOM
# killer's where no cgroup may be made, which is said.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-verdicts}
mkdir -p "$out"
cd "$out"
target=${CARGO_TARGET_DIR:-$root/target}/release
export MALLOSCOPE_LIB=$target/libmalloscope.so
clojure=/usr/share/java/clojure.jar:/usr/share/java/spec.alpha.jar:/usr/share/java/core.specs.alpha.jar
names=()

# profiled NAME CMD...: in the background; what is said goes to NAME.said.
profiled() {
    local name=$1
    shift
    rm -rf "$name"
    names+=("$name")
    "$target/malloscope" run -o "$name" --every 1s -- "$@" >"$name.printed" 2>"$name.said" &
}

"${CC:-cc}" -O2 -g -o shapes "$root/examples/verdicts/shapes.c"
for shape in leak filling lru fragmented; do
    profiled "$shape" ./shapes "$shape" 30
done
"${CC:-cc}" -O2 -g -o services "$root/examples/verdicts/services.c"
for ending in failing killed; do
    profiled "$ending" ./services "$ending" 10
done
if command -v javac >/dev/null; then
    javac -d . "$root/examples/exception-logger/ExceptionLogger.java"
    profiled exception-logger java -cp . ExceptionLogger 10000 4 30
else
    echo "no JDK: the exception logger is left out"
fi
if command -v java >/dev/null && [ -e "${clojure%%:*}" ]; then
    export MALLOSCOPE_CONF=prof_java_heap:true,prof_java_heap_gc:true,prof_gdump:false
    profiled memoize-cache java -cp "$clojure" clojure.main "$root/examples/memoize-cache/leak.clj" 50000 30
    unset MALLOSCOPE_CONF
else
    echo "no Clojure: the memoize cache is left out"
fi
wait

"${CXX:-c++}" -O2 -g -o containers "$root/examples/verdicts/containers.cpp"
for container in map vector buffers; do
    profiled "$container" ./containers "$container" 30
done
for service in bursts mapped workers; do
    profiled "$service" ./services "$service" 30
done
if command -v javac >/dev/null; then
    profiled heap-full java -Xmx64m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -cp . ExceptionLogger 1000000 4 60
    # A limit of memory, of either version of cgroups.
    is_limited=no
    for memory in /sys/fs/cgroup/memory /sys/fs/cgroup; do
        group=$memory/malloscope-verdicts-$$
        mkdir "$group" 2>/dev/null || continue
        if echo 300M 2>/dev/null >"$group/memory.limit_in_bytes" || echo 300M 2>/dev/null >"$group/memory.max"; then
            echo 0 2>/dev/null >"$group/memory.swap.max" || true
            trap 'rmdir "$group"' EXIT
            profiled oom-killed sh -c "echo \$\$ >$group/cgroup.procs; exec java -Xmx200m -cp . ExceptionLogger 60000 4 60"
            is_limited=yes
            break
        fi
        rmdir "$group"
    done
    [ $is_limited = yes ] || echo "no cgroup may be made: the OOM killer is left out"
fi
wait

# What must be said: the verdict, and behind it the culprit or the cause.
declare -A expected=(
    [leak]='Yes, it leaks.* log_error'
    [filling]='No leak visible.* cache_fill.*growth has all but stopped'
    [lru]='No leak visible.* lru_put.* freed'
    # What is live there is worth a few samples: the cause is asked for, and not who holds them.
    [fragmented]='No leak visible.*only .* live in the heap: the rest is fragmentation'
    [failing]='It ended with exit code 1 after 1[0-9] s.*Yes, it leaks.* receive'
    [killed]='It was killed by SIGKILL after 1[0-9] s.*Yes, it leaks.* receive'
    [map]='Yes, it leaks.* open_session.* live until the exit began'
    [vector]='(Yes, it leaks|It grows).* record'
    [buffers]='Yes, it leaks.* append_reply.*bigger and bigger'
    [bursts]='(Yes, it leaks|It grows).* receive.*(nothing of it was ever freed|nothing was freed)'
    [mapped]='RSS grows .*not by live blocks of malloc.*prof_mmap:true'
    [workers]='2 of 2 workers leak, .* together, at services.c:'
    [heap-full]='java.lang.OutOfMemoryError'
    [oom-killed]='It was killed by the OOM killer after .*, at .* of 300 MB.*ExceptionLogger.OpenRecord.<init>'
    [exception-logger]='Yes, it leaks.* ExceptionLogger.OpenRecord.<init>'
    [memoize-cache]='Yes, it leaks.* user/load-session .leak.clj:[0-9]*., by objects of byte\[\], inside of clojure.core/memoize'
)
failed=0
for name in "${names[@]}"; do
    said=$(grep -A4 -E '^malloscope: (Yes, it leaks|No leak|It (grows|ended|was|failed)|RSS grows|[0-9]+ of [0-9]+ workers|Too few)' \
        "$name.said" | grep -vE ': (report|who leaks|call graph)|^--|biggest call|^ ' || true)
    echo "$name:"
    echo "${said//malloscope: /    }"
    if ! tr '\n' ' ' <<<"$said" | grep -qE "${expected[$name]}"; then
        echo "    WRONG: expected ${expected[$name]}"
        failed=1
    elif [ ! -s "$name/report.html" ]; then
        echo "    WRONG: no page"
        failed=1
    fi
done
exit $failed
