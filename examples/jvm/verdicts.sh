#!/usr/bin/env bash
# Three JVM services that leak and the same ones repaired, under load: what plain `malloscope run -- java ...` says of
# each, and whether it is right. Expects target/release/libmalloscope.so and target/release/malloscope, a JDK, Clojure
# and protobuf (libclojure-java, libprotobuf-java). $JAVA_HOME chooses the JDK.
#
#   examples/jvm/verdicts.sh [DIR] [SECONDS]     dumps and pages go to DIR/NAME; DIR is jvm-verdicts by default
#
# The exception logger runs in a container of 700 MB, as far as a cgroup may be made, until the OOM killer comes;
# else it is killed as that does it, and this is said. Exits with 1 when a verdict or a culprit is wrong.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-jvm-verdicts}
seconds=${2:-90}
mkdir -p "$out"
cd "$out"
target=${CARGO_TARGET_DIR:-$here/../../target}/release
malloscope=${MALLOSCOPE:-$target/malloscope}
export MALLOSCOPE_LIB=${MALLOSCOPE_LIB:-$target/libmalloscope.so}
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
jars=/usr/share/java
classpath=$jars/clojure.jar:$jars/spec.alpha.jar:$jars/core.specs.alpha.jar:$jars/protobuf.jar:$here
"${JAVA_HOME:+$JAVA_HOME/bin/}javac" -Xlint:-deprecation -d . "$here/Orders.java"

# profiled NAME CMD...: what is said goes to NAME.said.
profiled() {
    local name=$1
    shift
    rm -rf "$name"
    "$malloscope" run -o "$name" -- "$@" >"$name.printed" 2>"$name.said" || true
}

# A limit of memory, of either version of cgroups.
group=
for memory in /sys/fs/cgroup/memory /sys/fs/cgroup; do
    mkdir "$memory/malloscope-jvm-$$" 2>/dev/null || continue
    group=$memory/malloscope-jvm-$$
    if echo 700M 2>/dev/null >"$group/memory.limit_in_bytes" || echo 700M 2>/dev/null >"$group/memory.max"; then
        echo 0 2>/dev/null >"$group/memory.swap.max" || true
        trap 'rmdir "$group"' EXIT
        break
    fi
    rmdir "$group"
    group=
done

# In the container, as its entry point.
contained() {
    echo "$BASHPID" >"$group/cgroup.procs"
    profiled "$@"
}

if [ -n "$group" ]; then
    contained orders-leak "$java" -cp . Orders 600 &
    killer='It was killed by the OOM killer after .*, at .* of 700 MB'
else
    echo "no cgroup may be made: SIGKILL stands in for the OOM killer"
    profiled orders-leak sh -c "$java -cp . Orders 600 & sleep $seconds; kill -KILL \$!; wait \$!" &
    killer='killed by SIGKILL'
fi
profiled orders-repaired "$java" -cp . Orders repaired "$seconds" &
for how in leak repaired; do
    for service in prices telemetry; do
        profiled "$service-$how" "$java" -cp "$classpath" clojure.main "$here/$service.clj" $how "$seconds" &
    done
done
wait

grows='(Yes, it leaks|It grows [^,]*, and nothing of it was ever freed)'
declare -A expected=(
    [orders-leak]="$killer.*$grows.*ExceptionLogger.log .Orders.java:[0-9]+"
    [prices-leak]="$grows.*inside of clojure.core/memoize, called from prices/answer .prices.clj:[0-9]+"
    [telemetry-leak]="$grows.* wire/codec .wire.clj:[0-9]+"
)
failed=0
for name in {orders,prices,telemetry}-{leak,repaired}; do
    answer=$(grep -A4 -E '^malloscope: (It was killed|Yes, it leaks|No leak|It grows|RSS grows|Too few|Nobody)' "$name.said" |
        grep -vE 'biggest|call graph|report:|who leaks|^  |^--' || true)
    echo "$name:"
    echo "${answer//malloscope: /    }"
    wanted=${expected[$name]:-No leak visible}
    if ! tr '\n' ' ' <<<"$answer" | grep -qE "$wanted"; then
        echo "    WRONG: expected $wanted"
        failed=1
    fi
done
exit $failed
