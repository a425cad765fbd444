#!/usr/bin/env bash
# What the profiler costs real programs, as ratios to a run without it, and by how much it stays below the limits wanted.
#
#   benches/ratio.sh [MAX_ROUNDS [PROGRAM...]]   processor time, wall time and peak memory; 40 rounds at most by default
#   benches/ratio.sh calls [PROGRAM...]          how often mmap, munmap, madvise and brk are called, by strace
#   benches/ratio.sh memory [PROGRAM...]         anonymous memory while the programs hold their live heap
#
# The programs are named below; all by default. The first mode runs each plain, plain again, dormant (preloaded, not
# configured), at 512 KiB, at 128 KiB and with the rate that finds itself, and with jemalloc without and with its own profiler at both rates. How rounds are
# taken and when they end is told in ratio/rounds.py, what the intervals mean in ratio/paired.py. Status 0 unless something
# cannot be run: timings are printed beside their limits, and not asserted.
#
# MALLOSCOPE_LIB and JEMALLOC_LIB name other libraries than ours of the last release build and Debian's libjemalloc2.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
library=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/../target}/release/libmalloscope.so}
jemalloc=${JEMALLOC_LIB:-/usr/lib/x86_64-linux-gnu/libjemalloc.so.2}
mode=rounds rounds=40
case ${1:-} in
    calls | memory) mode=$1 && shift ;;
    ?*) rounds=$1 && shift ;;
esac
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { sed -n '4,6s/^# *//p' "$0" >&2; exit 1; }

need() { [ -e "$1" ] || command -v "$1" >/dev/null || { echo "no $1: $2" >&2; exit 1; }; }
need "$library" "cargo build --release -p preload"
need python3 "apt-get install python3"
[ $mode != rounds ] || need /usr/bin/time "apt-get install time"
[ $mode != calls ] || need strace "apt-get install strace"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
loads=$here/workloads examples=$here/../examples

# One program: its name, whose limits it has (see ratio/paired.py), and "holds" if it waits with its live heap for the mode
# "memory"; then the command.
add() { (IFS=$'\t' && echo "$*") >>"$work/programs"; }
have() { command -v "$1" >/dev/null || { echo "left out: $1 is not installed" >&2; return 1; }; }
compile() { "${CC:-cc}" -O2 -g -pthread -o "$work/$1" "$2"; }

if have javac; then
    javac -d "$work" "$loads/Deflaters.java" "$examples/exception-logger/ExceptionLogger.java"
    add java-deflaters jvm holds java -Xms32m -Xmx32m -XX:+UseSerialGC -cp "$work" Deflaters
    add java-logger jvm - java -cp "$work" ExceptionLogger 20000
fi
if have ruby; then
    add ruby-lru other holds ruby "$loads/lru.rb"
    add ruby-json other - ruby "$loads/words.rb"
fi
python=$(python3 -c 'import sys; print(sys.executable)') # where python3 is a script that looks for the real one
add python-lru other holds PYTHONMALLOC=malloc "$python" "$loads/lru.py"
add python-json other - PYTHONMALLOC=malloc "$python" "$loads/words.py"
if have node; then
    add node-zlib other - node "$loads/zlib.js"
    add node-json other - node "$loads/words.js"
fi
if have "${CC:-cc}"; then
    compile ring "$loads/ring.c" && add ring.c other holds "$work/ring"
    compile loop "$loads/loop.c" && add loop.c loop holds "$work/loop"
    compile leak "$examples/native-leak/leak.c" && add leak.c loop - "$work/leak" 1600000
fi
if have g++; then
    g++ -std=c++17 -O2 -g -pthread -o "$work/server" "$loads/server.cpp"
    add server.cpp other holds "$work/server"
    add g++ other - g++ -O1 -c -o /dev/null "$loads/regex.cpp"
fi

export RATIO_WORK=$work RATIO_LIBRARY=$library RATIO_JEMALLOC=$jemalloc RATIO_ROUNDS=$rounds
python3 -B "$here/ratio/$mode.py" "$@"
