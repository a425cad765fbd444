#!/usr/bin/env bash
# What takes too long for CI, or needs a Ruby that is not on the machine:
#
#   tests/ruby.sh [WHAT=AMOUNT ...]      all of it: stress=10 objects=5 cost=5
#
# stress    so many rounds of tests/ruby/stress.rb with threads, Ractors, GC.compact, GC.stress and forks, each with
#           lg_prof_sample 0 and 10: none may fail, and no frame may be lost
# objects   the same with prof_ruby_objects:true
# cost      nanoseconds of a sample with Ruby frames and of one frame, by the depth of the stack: medians of so many runs
#
# The Rubies are the one in the path, and those in the directories that MALLOSCOPE_RUBY_ROOTS names, parted by colons:
# each the root of a Debian (debootstrap --include=ruby trixie DIR), entered by chroot.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
built=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/target}/release/libmalloscope.so}
work=$(mktemp -d)
IFS=: read -ra roots <<<"${MALLOSCOPE_RUBY_ROOTS:-}"
trap 'rm -rf "$work" "${roots[@]/%//tmp/malloscope-ruby}"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

[ -f "$built" ] || fail "$built is missing: build it with \`cargo build --release -p preload\`"

# ruby ROOT CONF WORDS...: with the library of this build, in the root; the dumps are in $dumps
ruby_in() {
    local root=$1 conf=$2
    shift 2
    local inside=$root/tmp/malloscope-ruby enter=()
    [ -z "$root" ] && inside=$work/ruby || enter=(chroot "$root")
    # Nobody but Ruby shall load the library: outside the root it is not there.
    enter+=(env)
    rm -rf "$inside"
    mkdir -p "$inside/out"
    cp "$here"/tests/ruby/*.rb "$built" "$inside"
    local seen=${inside#"$root"}
    dumps=$inside/out
    enter+=("MALLOSCOPE_CONF=prof:true,prof_final:true,prof_accum:true,prof_prefix:$seen/out/d,$conf")
    timeout 120 "${enter[@]}" LD_PRELOAD="$seen/libmalloscope.so" ruby -W0 "$seen/$1" "${@:2}"
}

rounds() {
    local rounds=$1 more=$2 root round kinds lg failures=0 runs=0
    for root in "" "${roots[@]}"; do
        for kinds in threads "threads ractors" ractors "threads compact" "threads ractors compact" gc "threads forks"; do
            for lg in 0 10; do
                for ((round = 0; round < rounds; round++)); do
                    runs=$((runs + 1))
                    # shellcheck disable=SC2086 # words
                    if ! ruby_in "$root" "lg_prof_sample:$lg,prof_final_all:true$more" stress.rb 1 $kinds >"$work/said" 2>&1; then
                        failures=$((failures + 1))
                        cp "$work/said" "${TMPDIR:-/tmp}/malloscope-ruby-failed.$failures"
                        echo "failed: ${root:-here} $kinds $lg (${TMPDIR:-/tmp}/malloscope-ruby-failed.$failures): $(head -c 300 "$work/said")"
                    elif grep -qh "^# counter_ruby_lost [^0]" "$dumps"/*.heap; then
                        failures=$((failures + 1))
                        echo "lost frames: ${root:-here} $kinds $lg"
                    fi
                done
            done
        done
    done
    echo "$runs runs, $failures failed"
    [ "$failures" = 0 ] || fail stress
}

# The median of so many runs of deep.rb: nanoseconds of the program's time for each call. At this period nearly every
# call is a sample.
median() {
    local rounds=$1 root=$2 depth=$3 more=$4 round
    for ((round = 0; round < rounds; round++)); do
        ruby_in "$root" "lg_prof_sample:8,prof_bt_max:1024$more" deep.rb "$depth"
    done | sort -n | sed -n "$((rounds / 2 + 1))p"
}

# What names cost: the difference between runs with them and runs without, by frame of Ruby's.
cost() {
    local rounds=$1 root depth with without
    for root in "" "${roots[@]}"; do
        for depth in 10 50 100; do
            with=$(median "$rounds" "$root" "$depth" "")
            without=$(median "$rounds" "$root" "$depth" ",prof_ruby:false")
            echo "${root:-here}: $depth frames: with names $with, without $without ns a sample: $(((with - without) / depth)) ns a frame"
        done
    done
}

[ $# -gt 0 ] || set -- stress=10 objects=5 cost=5
for what; do
    amount=${what#*=}
    case $what in
        stress=*) rounds "$amount" "" ;;
        objects=*) rounds "$amount" ",prof_ruby_objects:true" ;;
        cost=*) cost "$amount" ;;
        *) fail "$what?" ;;
    esac
done
