#!/bin/sh
# Makes the files of this directory anew. Needs g++, binutils and libjemalloc2.
set -eu
cd "$(dirname "$0")"
g++ -g -O1 -fno-omit-frame-pointer -ffile-prefix-map="$PWD"=/src -Wl,--build-id -o leaky leaky.cpp other.cpp
objcopy --only-keep-debug --compress-debug-sections leaky leaky.debug
objcopy --strip-all --add-gnu-debuglink=leaky.debug leaky stripped
work=$(mktemp -d)
# Paths of this machine become paths of no machine, so that names come from here alone.
record() {
    out=$1
    shift
    MALLOC_CONF=prof:true,prof_final:true,prof_accum:true,lg_prof_sample:12,prof_prefix:"$work/jeprof" \
        LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2 ./leaky "$@"
    sed -E -e "s|$PWD/leaky|/opt/leaky/leaky|" -e 's|/usr/lib/x86_64-linux-gnu/|/opt/leaky/lib/|' \
        "$work"/jeprof.*.f.heap > "$out"
    rm "$work"/*
}
record leaky.heap
record less.heap less
rmdir "$work"
