#!/usr/bin/env bash
# What the profiler costs real programs: processor time, wall time and peak memory as ratios to a run without it.
#
#   benches/ratio.sh [ROUNDS [PROGRAM...]]      9 rounds of all programs by default
#
# A round runs every program plain, dormant (preloaded, not configured), at 512 KiB and at 128 KiB, one after the other
# and beginning with another one each round. Each run is divided by the plain run of its own round, so that slow changes
# of a shared machine cancel out; the table has the medians, and the two quartiles of processor time to tell the noise.
# "again" is the plain run repeated: what it is off 1 the machine did.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
library=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/../target}/release/libmalloscope.so}
[ -f "$library" ] || { echo "no $library: cargo build --release -p preload" >&2; exit 1; }
[ -x /usr/bin/time ] || { echo "GNU time is missing: apt-get install time" >&2; exit 1; }
rounds=${1:-9}
shift || true
wanted=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Name, then the command. A program that is not installed is left out.
declare -A command
prepare() {
    command -v javac >/dev/null && javac -d "$work" "$here/../examples/exception-logger/ExceptionLogger.java" &&
        command[java]="java -cp $work ExceptionLogger 20000"
    "${CC:-cc}" -O2 -g -pthread -o "$work/leak" "$here/../examples/native-leak/leak.c" &&
        command[leak.c]="$work/leak 1600000"
    printf '#include <bits/stdc++.h>\nstd::regex r("a+b");\nint main() { return std::regex_match("ab", r); }\n' >"$work/regex.cpp"
    command -v g++ >/dev/null && command[g++]="g++ -O1 -c -o /dev/null $work/regex.cpp"
    cat >"$work/words.rb" <<'RUBY'
require "json"
40.times { JSON.parse(JSON.generate((1..9000).map { |i| { "id" => i, "name" => "n" * (i % 300), "tags" => %w[a b c] } })) }
RUBY
    command -v ruby >/dev/null && command[ruby]="ruby $work/words.rb"
    cat >"$work/words.js" <<'JS'
const zlib = require("zlib");
let kept = [];
for (let i = 0; i < 2500; i++) {
    const text = JSON.stringify(Array.from({ length: 300 }, (_, k) => ({ id: k, name: "n".repeat(k % 99) })));
    kept[i % 50] = zlib.deflateSync(Buffer.from(text), { level: 1 });
}
JS
    command -v node >/dev/null && command[node]="node $work/words.js"
    cat >"$work/words.py" <<'PYTHON'
import json
for i in range(30):
    json.loads(json.dumps([{"id": k, "name": "n" * (k % 300), "tags": ["a", "b"]} for k in range(9000)]))
PYTHON
    command -v python3 >/dev/null && command[python3]="env PYTHONMALLOC=malloc python3 $work/words.py"
}

# One run: "seconds of processor, of wall, KiB at most".
run() {
    local kind=$1 program=$2 preload=$library conf=
    case $kind in
        plain | again) preload= ;;
        dormant) ;;
        512k) conf=prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:$work/dump ;;
        128k) conf=prof:true,lg_prof_sample:17,prof_final:true,prof_prefix:$work/dump ;;
    esac
    # shellcheck disable=SC2086 # a command with its arguments
    LD_PRELOAD=$preload MALLOSCOPE_CONF=$conf /usr/bin/time -o "$work/time" -f '%U %S %e %M' ${command[$program]} >/dev/null
    awk 'END { print $1 + $2, $3, $4 }' "$work/time"
    rm -f "$work"/dump.*
}

prepare
kinds=(plain again dormant 512k 128k)
[ ${#wanted[@]} -gt 0 ] || mapfile -t wanted < <(printf '%s\n' "${!command[@]}" | sort)
for program in "${wanted[@]}"; do
    run plain "$program" >/dev/null # into the page cache
    for ((round = 0; round < rounds; round++)); do
        for ((i = 0; i < ${#kinds[@]}; i++)); do
            kind=${kinds[(round + i) % ${#kinds[@]}]}
            echo "$program $round $kind $(run "$kind" "$program")"
        done
    done
done >"$work/runs"

echo "$rounds rounds; ratios to the plain run of the same round"
awk '
    function rank(list, count, part,    i, k, swap) {
        for (i = 2; i <= count; i++)
            for (k = i; k > 1 && list[k] < list[k - 1]; k--) { swap = list[k]; list[k] = list[k - 1]; list[k - 1] = swap }
        return list[int((count - 1) * part + 1.5)]
    }
    { cpu[$1, $2, $3] = $4; wall[$1, $2, $3] = $5; rss[$1, $2, $3] = $6; if ($2 >= rounds) rounds = $2 + 1 }
    !($1 in seen) { seen[$1]; order[++programs] = $1 }
    END {
        kinds = split("again dormant 512k 128k", kind)
        printf "%-10s %-8s %6s %15s %6s %6s %10s\n", "program", "run", "cpu", "(quartiles)", "wall", "rss", "plain cpu s"
        for (p = 1; p <= programs; p++)
            for (k = 1; k <= kinds; k++) {
                for (r = 0; r < rounds; r++) {
                    base = order[p] SUBSEP r SUBSEP
                    c[r + 1] = cpu[base kind[k]] / cpu[base "plain"]
                    w[r + 1] = wall[base kind[k]] / wall[base "plain"]
                    m[r + 1] = rss[base kind[k]] / rss[base "plain"]
                    s[r + 1] = cpu[base "plain"]
                }
                middle = rank(c, rounds, 0.5)
                logs[k] += log(middle); memory[k] += log(rank(m, rounds, 0.5))
                printf "%-10s %-8s %6.3f   (%.3f-%.3f) %6.3f %6.3f %10.2f\n", order[p], kind[k], middle, rank(c, rounds, 0.25),
                    rank(c, rounds, 0.75), rank(w, rounds, 0.5), rank(m, rounds, 0.5), rank(s, rounds, 0.5)
            }
        for (k = 1; k <= kinds; k++)
            printf "%-10s %-8s %6.3f %24s %6.3f\n", "mean", kind[k], exp(logs[k] / programs), "", exp(memory[k] / programs)
    }' "$work/runs"
