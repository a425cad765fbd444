#!/usr/bin/env bash
# Three Ruby services that leak and the same ones repaired, a minute each: what plain `malloscope run` says of
# each, and whether it is right. Expects target/release/libmalloscope.so and target/release/malloscope, and puma.
#
#   examples/ruby/verdicts.sh [DIR] [SECONDS]     dumps and pages go to DIR/NAME; DIR is ruby-verdicts by default
#
# Exits with 1 when a verdict is wrong, or its line is not in the first three lines of the answer.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-ruby-verdicts}
seconds=${2:-60}
mkdir -p "$out"
cd "$out"
target=${CARGO_TARGET_DIR:-$here/../../target}/release
export MALLOSCOPE_LIB=$target/libmalloscope.so
cp "$here"/* .
"${CC:-cc}" -O2 -g -shared -fPIC -o mcache.so mcache.c

# profiled NAME CMD...: in the background; what is said goes to NAME.said.
profiled() {
    local name=$1
    shift
    rm -rf "$name"
    "$target/malloscope" run -o "$name" --every 1s -- "$@" >"$name.printed" 2>"$name.said"
}

# served NAME PORT: puma with two workers, under requests, ended as by Ctrl-C
served() {
    local name=$1 port=$2 end
    profiled "$name" puma -q -w 2 -t 2:2 -b "tcp://127.0.0.1:$port" compress.ru &
    end=$((SECONDS + seconds))
    while ((SECONDS < end)); do
        curl -s -o /dev/null "http://127.0.0.1:$port/[1-20]" || sleep 0.2
        sleep 0.1
    done
    pkill -INT -P $! || true
    wait $! || true
}

for how in leak repaired; do
    profiled "cache-$how" ruby cache_client.rb $how "$seconds" &
    profiled "sessions-$how" ruby known_sessions.rb $how "$seconds" &
done
if command -v puma >/dev/null; then
    LEAKY=true served puma-leak 9393 &
    LEAKY=false served puma-repaired 9394 &
fi
wait

declare -A expected=(
    [cache-leak]='cache_client.rb:1[56].*mcache.so'
    [sessions-leak]='known_sessions.rb:8'
    [puma-leak]='leak.*compress.ru:1[12]'
)
failed=0
for name in *.said; do
    name=${name%.said}
    answer=$(grep -A2 -E '^malloscope: ([0-9]+ of [0-9]+ workers leak|Yes, it leaks|No leak|It grows|Too few|The dumps)' "$name.said" | head -3 || true)
    echo "$name:"
    echo "${answer//malloscope: /    }"
    wanted=${expected[$name]:-No leak}
    if ! tr '\n' ' ' <<<"$answer" | grep -qE "$wanted"; then
        echo "    WRONG: expected $wanted"
        failed=1
    fi
done
exit $failed
