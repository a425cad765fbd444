#!/usr/bin/env bash
# Six programs of known behaviour, half a minute each, all at the same time: what `malloscope run` says of each, and
# whether it is right. Expects target/release/libmalloscope.so and target/release/malloscope.
#
#   examples/verdicts.sh [DIR]     dumps and pages go to DIR/NAME; DIR is verdicts by default
#
# Exits with 1 when a verdict or a culprit is wrong. Without a JDK or Clojure theirs are left out, which is said.
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
if command -v javac >/dev/null; then
    javac -d . "$root/examples/exception-logger/ExceptionLogger.java"
    profiled exception-logger java -cp . ExceptionLogger 10000 4 30
else
    echo "no JDK: the exception logger is left out"
fi
if command -v java >/dev/null && [ -e "${clojure%%:*}" ]; then
    export MALLOSCOPE_CONF=prof_java_heap:true,prof_java_heap_gc:true,prof_gdump:false
    profiled memoize-cache java -cp "$clojure" clojure.main "$root/examples/memoize-cache/leak.clj" 50000 30
else
    echo "no Clojure: the memoize cache is left out"
fi
wait

# What must be said: the verdict, and behind it the culprit or the cause.
declare -A expected=(
    [leak]='Yes, it leaks.* log_error'
    [filling]='No leak visible.* cache_fill.*growth has all but stopped'
    [lru]='No leak visible.* lru_put.* freed'
    # What is live there is worth a few samples: the cause is asked for, and not who holds them.
    [fragmented]='No leak visible.*only .* live in the heap: the rest is fragmentation'
    [exception-logger]='Yes, it leaks.* ExceptionLogger.OpenRecord.<init>'
    [memoize-cache]='Yes, it leaks.* user.load_session.invokeStatic .leak.clj:[0-9]*., by objects of byte\[\]'
)
failed=0
for name in "${names[@]}"; do
    said=$(grep -A3 -E '^malloscope: (Yes, it leaks|No leak|It grows|Too few)' "$name.said" | grep -vE ': (report|who leaks)' || true)
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
