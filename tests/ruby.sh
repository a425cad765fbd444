#!/usr/bin/env bash
# What takes too long for CI, or needs a Ruby that is not on the machine:
#
#   tests/ruby.sh [WHAT=AMOUNT ...]      all of it: stress=10 objects=5 cost=1
#
# stress    so many rounds of tests/ruby/stress.rb with threads, Ractors, GC.compact, GC.stress and forks, each with
#           lg_prof_sample 0 and 10: none may fail, and no frame may be lost
# objects   the same with prof_ruby_objects:true
# cost      nanoseconds of a sample with Ruby frames, by the depth of the stack
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
    rm -rf "$inside"
    mkdir -p "$inside/out"
    cp "$here"/tests/ruby/*.rb "$built" "$inside"
    local seen=${inside#"$root"}
    dumps=$inside/out
    MALLOSCOPE_CONF=prof:true,prof_final:true,prof_accum:true,prof_prefix:$seen/out/d,$conf LD_PRELOAD=$seen/libmalloscope.so \
        timeout 120 "${enter[@]}" ruby -W0 "$seen/$1" "${@:2}"
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
                        echo "failed: ${root:-here} $kinds $lg: $(head -c 300 "$work/said")"
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

# Nanoseconds of the program's time for each sample: the difference between a run with names and one without, at a period
# at which nearly every call is one.
cost() {
    local root depth with without samples
    for root in "" "${roots[@]}"; do
        for depth in 10 50 100; do
            with=$(ruby_in "$root" "lg_prof_sample:9,prof_bt_max:1024" deep.rb "$depth")
            samples=$(sed -n 's/^# samples_taken //p' "$dumps"/*.heap | tail -1)
            without=$(ruby_in "$root" "lg_prof_sample:9,prof_bt_max:1024,prof_ruby:false" deep.rb "$depth")
            echo "${root:-here}: $depth frames: with names $with, without $without ns a call ${samples:+($samples samples)}"
        done
    done
}

[ $# -gt 0 ] || set -- stress=10 objects=5 cost=1
for what; do
    amount=${what#*=}
    case $what in
        stress=*) rounds "$amount" "" ;;
        objects=*) rounds "$amount" ",prof_ruby_objects:true" ;;
        cost=*) cost ;;
        *) fail "$what?" ;;
    esac
done
