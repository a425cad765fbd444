#!/usr/bin/env bash
# The main job from beginning to end: build, run the leaking Java service with the profiler preloaded, draw the call
# graph of what it did not give back. Where no JDK is, the native example takes its place.
#
#   examples/run.sh [DIR]     writes DIR/*.heap and DIR/leak.svg; DIR is leak-profile by default
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-leak-profile}
mkdir -p "$out"
out=$(cd "$out" && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
conf="prof:true,lg_prof_interval:30,lg_prof_sample:17,prof_final:true,prof_prefix:$out/leak"

(cd "$root" && cargo build --release --quiet -p preload && cargo build --release --quiet -p jeprof-compat)
library=$target/release/libmalloscope.so
jeprof_compat=$target/release/jeprof-compat

# A JDK's launcher is often a wrapper or a chain of links: its own path is what the profile is read against.
jdk_home() {
    local javac
    if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/javac" ]; then
        echo "$JAVA_HOME"
    elif javac=$(command -v javac); then
        dirname "$(dirname "$(readlink -f "$javac")")"
    fi
}

rm -f "$out"/leak.*.heap "$out"/leak.svg
jdk=$(jdk_home)
if [ -n "$jdk" ]; then
    program=$jdk/bin/java
    "$jdk/bin/javac" -d "$out" "$root/examples/exception-logger/ExceptionLogger.java"
    command=("$program" -cp "$out" ExceptionLogger)
else
    echo "no JDK here: the native example runs instead" >&2
    program=$out/leak
    "${CC:-cc}" -O2 -g -pthread -o "$program" "$root/examples/native-leak/leak.c"
    command=("$program" 2400000)
fi

echo "\$ MALLOC_CONF=$conf LD_PRELOAD=$library ${command[*]}"
MALLOC_CONF=$conf LD_PRELOAD=$library "${command[@]}"

dumps=("$out"/leak.*.heap)
final=("$out"/leak.*.f.heap)
echo
echo "${#dumps[@]} dumps in $out; the last one by function:"
"$jeprof_compat" --text "$program" "${final[0]}" 2>/dev/null | head -6
"$jeprof_compat" --svg "$program" "${final[0]}" >"$out/leak.svg" 2>/dev/null
echo
echo "call graph: $out/leak.svg"
