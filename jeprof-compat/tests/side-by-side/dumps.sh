#!/usr/bin/env bash
# dumps.sh LIBRARY DIR: makes a dump of every kind in DIR: of C, C++, Rust, a JVM, Node and Go, by jemalloc, by
# LIBRARY (libmalloscope.so) and by gperftools, and a contention profile of Go. Prints `PROGRAM DUMP`, a line each.
# A program or library that this machine has not is passed over, and told on stderr.
set -eu
library=$1 dir=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
cd "$dir"
libs=/usr/lib/x86_64-linux-gnu

has() { command -v "$1" >/dev/null || { echo "no $1 here" >&2; return 1; }; }

# record NAME LG_SAMPLE PROGRAM ARGUMENTS: runs it once under each profiler.
record() {
  local name=$1 lg=$2 conf program
  shift 2
  program=$(readlink -f "$(command -v "$1")")
  conf=prof:true,prof_final:true,prof_accum:true,lg_prof_sample:$lg,prof_prefix:$PWD/$name
  if [ -e "$libs/libjemalloc.so.2" ]; then
    MALLOC_CONF=${interval:-}$conf.jemalloc LD_PRELOAD=$libs/libjemalloc.so.2 "$@" >/dev/null
    echo "$program $(ls "$PWD/$name".jemalloc.*.heap | tail -1)"
  fi
  MALLOSCOPE_CONF=$conf.ours LD_PRELOAD=$library "$@" >/dev/null
  echo "$program $(ls "$PWD/$name".ours.*.heap | tail -1)"
  if [ -e "$libs/libtcmalloc.so.4" ]; then
    # gperftools records every call, and Node dies of its own timeouts then: one dump, at the end.
    HEAPPROFILE=$PWD/$name.gperftools HEAP_PROFILE_ALLOCATION_INTERVAL=0 HEAP_PROFILE_INUSE_INTERVAL=0 \
      LD_PRELOAD=$libs/libtcmalloc.so.4 "$@" >/dev/null 2>&1
    echo "$program $(ls "$PWD/$name".gperftools.*.heap | tail -1)"
  fi
}

gcc -g -O1 -o c "$here/kept.c"
record c 12 ./c
cp "$here/../data/leaky/leaky" cpp
# With a dump from before its end: what a difference is taken from.
interval=lg_prof_interval:22, record cpp 12 ./cpp
rustc -g -C opt-level=1 -o rust "$here/kept.rs"
record rust 12 ./rust
if has javac; then
  javac -d . "$here/Kept.java"
  record java 16 java -cp . Kept
fi
if has node; then record node 16 node "$here/kept.js"; fi
if has go; then
  # Where code lies is in no profile of Go's: the program lies where it was linked to.
  go build -o go_program "$here/kept.go"
  ./go_program go
  sed 's/^--- mutex:/--- contention:/' go.mutex >go.contention
  echo "$PWD/go_program $PWD/go.heap"
  echo "$PWD/go_program $PWD/go.contention"
fi
