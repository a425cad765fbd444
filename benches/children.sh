#!/usr/bin/env bash
# What the profiler costs programs that live by their children: two shells, and a server with a process a connection.
#
#   benches/children.sh [ROUNDS [PROGRAM...]]      15 rounds of zsh, fish and pgbench by default
#
# A round runs every program plain, under `prof:true,prof_final:true`, and plain once more ("again": what that is off 1
# the machine did), beginning with another one each round. Each run is divided by the plain run of its own round; the
# table has the median wall times in milliseconds, the medians of the ratios with their quartiles, and the same ratio of
# processor time (of the program and all its children), which a busy machine moves less. The PostgreSQL servers listen on
# loopback; the client is plain, and a run of it is 100 connections, one after the other.
# MALLOSCOPE_LIB=FILE measures another library, CHILDREN_CONF=OPTIONS under other options.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
library=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/../target}/release/libmalloscope.so}
[ -f "$library" ] || { echo "no $library: cargo build --release -p preload" >&2; exit 1; }
conf=${CHILDREN_CONF:-prof:true,prof_final:true}
rounds=${1:-15}
shift || true
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(zsh fish pgbench)
work=$(mktemp -d)
chmod 755 "$work"
servers=()
finish() {
    for data in "${servers[@]}"; do as_server "$postgres/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; done
    rm -rf "$work"
}
trap finish EXIT

cat >"$work/shell.zsh" <<'ZSH'
for i in {1..30}; do (x=$i); y=$(/bin/echo $i); done
ZSH
cat >"$work/shell.fish" <<'FISH'
for i in (/usr/bin/seq 30); /bin/true $i; set y (/bin/echo $i); end
FISH
echo 'SELECT 1;' >"$work/one.sql"

# PostgreSQL refuses to be root's.
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }

declare -A port=([plain]=54310 [profiled]=54311)
start_servers() {
    postgres=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -1)")
    local kind data
    for kind in plain profiled; do
        data=$work/data.$kind
        mkdir "$data"
        [ "$(id -u)" != 0 ] || chown nobody "$data"
        (cd "$data" && as_server "$postgres/initdb" -D "$data" -U bench -A trust >/dev/null)
        (cd "$data" && as_server env $(setting $kind "$data/dump") "$postgres/pg_ctl" -D "$data" -w -l "$data/log" \
            -o "-p ${port[$kind]} -c listen_addresses=127.0.0.1 -k $data" start >/dev/null)
        servers+=("$data")
    done
}

setting() {
    [ "$1" = profiled ] && echo "LD_PRELOAD=$library MALLOSCOPE_CONF=$conf,prof_prefix:$2" || echo UNUSED=1
}

# One run, as a command.
run() {
    local kind=$1 program=$2
    [ "$kind" != again ] || kind=plain
    case $program in
        zsh) env $(setting $kind "$work/dump") zsh -f "$work/shell.zsh" ;;
        fish) env HOME="$work" $(setting $kind "$work/dump") fish -N "$work/shell.fish" ;;
        pgbench) pgbench -n -C -t 100 -h 127.0.0.1 -p "${port[$kind]}" -U bench -f "$work/one.sql" postgres >/dev/null ;;
    esac
}

# Leaves the processor time so far in $spent, in milliseconds: of our children that ended, or of a server and its.
processor() {
    local kind=$1 program=$2
    [ "$kind" != again ] || kind=plain
    if [ "$program" = pgbench ]; then
        spent=$(awk '{ sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) * 10 }' \
            "/proc/$(head -1 "$work/data.$kind/postmaster.pid")/stat")
    else
        # No substitution: it would be asked for children of its own.
        times >"$work/times"
        spent=$(tail -1 "$work/times" | tr 'ms' '  ' | awk '{ print ($1 * 60 + $2 + $3 * 60 + $4) * 1000 }')
    fi
}

# "milliseconds of wall, of processor"
measure() {
    local start end before
    processor "$@"
    before=$spent
    start=$(date +%s%N)
    run "$@" >/dev/null 2>>"$work/errors"
    end=$(date +%s%N)
    processor "$@"
    echo "$before $spent $(((end - start) / 1000))" | awk '{ print $3 / 1000, $2 - $1 }'
    rm -f "$work"/dump* "$work"/data.*/dump*
}

programs=()
for program in "${wanted[@]}"; do
    if [ "$program" = pgbench ]; then
        ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { echo "postgresql is missing"; continue; }
        start_servers
    fi
    command -v "$program" >/dev/null || { echo "$program is missing"; continue; }
    programs+=("$program")
done

kinds=(plain profiled again)
for ((round = 0; round <= rounds; round++)); do
    for program in "${programs[@]}"; do
        for ((turn = 0; turn < 3; turn++)); do
            kind=${kinds[(round + turn) % 3]}
            ms=$(measure "$kind" "$program")
            # The first round only warms up.
            [ "$round" = 0 ] || echo "$program $round $kind $ms" >>"$work/runs"
        done
    done
done

sort_by() { sort -n | awk -v q="$1" '{ v[NR] = $1 } END { printf "%.3f", v[int((NR - 1) * q + 1.5)] }'; }
median() { awk -v p="$1" -v k="$2" '$1 == p && $3 == k { print $4 }' "$work/runs" | sort_by 0.5; }
# PROGRAM KIND QUANTILE FIELD
ratio() {
    awk -v p="$1" -v k="$2" -v f="$4" '
        $1 == p { ms[$2, $3] = $f; rounds[$2] }
        END { for (r in rounds) if (ms[r, "plain"] > 0) print ms[r, k] / ms[r, "plain"] }' "$work/runs" | sort_by "$3"
}
printf '%-8s %9s %12s %7s %15s %7s %10s %10s\n' program plain-ms profiled-ms ratio quartiles again cpu-ratio cpu-again
for program in "${programs[@]}"; do
    printf '%-8s %9s %12s %7s %7s-%7s %7s %10s %10s\n' "$program" "$(median "$program" plain)" \
        "$(median "$program" profiled)" "$(ratio "$program" profiled 0.5 4)" "$(ratio "$program" profiled 0.25 4)" \
        "$(ratio "$program" profiled 0.75 4)" "$(ratio "$program" again 0.5 4)" "$(ratio "$program" profiled 0.5 5)" \
        "$(ratio "$program" again 0.5 5)"
done
[ ! -s "$work/errors" ] || { echo "stderr of the runs:"; sort "$work/errors" | uniq -c | head; }
