#!/usr/bin/env bash
# What takes too long for CI, on every CPython (3.8 or later) of the machine:
#
#   tests/python.sh [WHAT=AMOUNT ...]      all of it: tests=1 storm=3 embed=1 own=1 cost=15
#
# tests   the tests of Python (`cargo test --test preload python::`)
# storm   so many seconds of threads, tasks, forks and children (tests/python/storm.py), with each allocator that
#         PYTHONMALLOC knows, every call sampled and one in a KiB. What fails without us too is passed over
# embed   a program that opens each libpython, ends it and closes it, three times, and has allocators of its own
# own     CPython's own tests of threads, forks, children, collections, tracemalloc and asyncio, where they are installed: with us
#         the same fail as without
# cost    so many pairs of runs of tests/python/busy.py for each: ratios of processor time, as plain runs are 1
#
# Interpreters are those of /usr/bin, /usr/local/bin, pyenv, and what MALLOSCOPE_PYTHONS names (colons between).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
built=${MALLOSCOPE_LIB:-${CARGO_TARGET_DIR:-$here/target}/release/libmalloscope.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

[ -f "$built" ] || fail "$built is missing: build it with \`cargo build --release -p preload\`"
# A copy, so that a build meanwhile does no harm.
library=$work/libmalloscope.so
cp "$built" "$library"

pythons=()
find_pythons() {
    local python more
    IFS=: read -ra more <<<"${MALLOSCOPE_PYTHONS:-}"
    for python in "${more[@]}" /usr/bin/python3 /usr/local/bin/python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
        [ -x "$python" ] || continue
        python=$(readlink -f "$python")
        "$python" -c 'import sys; sys.exit(not (sys.implementation.name == "cpython" and sys.version_info >= (3, 8)))' 2>/dev/null || continue
        [[ " ${pythons[*]} " == *" $python "* ]] || pythons+=("$python")
    done
    [ ${#pythons[@]} -gt 0 ] || fail "no CPython of 3.8 or later"
}

version() { "$1" -c 'import platform; print(platform.python_version())'; }

# with OPTIONS COMMAND...: under us. Dumps go to a directory of their own.
with() {
    local options=$1
    shift
    # A child that still ends may write there.
    rm -rf "$work/dumps" 2>/dev/null || mv "$work/dumps" "$(mktemp -d "$work/old.XXXXXX")"
    mkdir "$work/dumps"
    MALLOSCOPE_CONF="prof:true,prof_final:true,prof_gdump:true,prof_keep:9,prof_prefix:$work/dumps/d,$options" LD_PRELOAD=$library "$@"
}

nothing_odd() {
    ! grep -ha '^# counter_python_odd [1-9]' "$work"/dumps/*.heap >/dev/null 2>&1 || fail "$1: a structure was odd"
}

tests() {
    local python said
    for python in "${pythons[@]}"; do
        said=$(MALLOSCOPE_PYTHON=$python cargo test --quiet --manifest-path "$here/Cargo.toml" --test preload -- python:: 2>&1) ||
            { echo "$said"; fail "tests on $(version "$python")"; }
        echo "tests: $(version "$python"): $(grep '^test result' <<<"$said")"
    done
}

storm() {
    local seconds=$1 python allocator sample runs
    for python in "${pythons[@]}"; do
        runs=0
        for allocator in pymalloc malloc debug; do
            if ! PYTHONMALLOC=$allocator "$python" "$here/tests/python/storm.py" 1 >/dev/null 2>&1; then
                echo "passed over: storm on $(version "$python") with $allocator fails without us"
                continue
            fi
            for sample in 0 10; do
                PYTHONMALLOC=$allocator with "lg_prof_sample:$sample,prof_python_objects:true" \
                    "$python" "$here/tests/python/storm.py" "$seconds" >"$work/said" 2>"$work/errors" ||
                    { cat "$work/said" "$work/errors"; fail "storm on $(version "$python") with $allocator, lg_prof_sample:$sample"; }
                [ ! -s "$work/errors" ] || { cat "$work/errors"; fail "storm: something on stderr"; }
                nothing_odd storm
                runs=$((runs + 1))
            done
        done
        echo "storm: $(version "$python"): $runs runs of $seconds s"
    done
}

embed() {
    local python home shared when sample
    cc -o "$work/embedder" "$here/tests/programs/python_embedder.c" -ldl
    for python in "${pythons[@]}"; do
        home=$("$python" -c 'import sys; print(sys.prefix)')
        shared=$("$python" -c 'import sysconfig as s; print(s.get_config_var("LIBDIR") + "/" + s.get_config_var("INSTSONAME"))')
        if [[ $shared != *.so* ]] || [ ! -f "$shared" ]; then
            echo "passed over: $(version "$python") has no libpython to open"
            continue
        fi
        for when in none before after; do
            for sample in 0 12; do
                PYTHONHOME=$home with "lg_prof_sample:$sample,prof_accum:true,prof_final_all:true,prof_python_objects:true" \
                    "$work/embedder" "$shared" "$when" >"$work/said" 2>"$work/errors" ||
                    { cat "$work/said" "$work/errors"; fail "embedding $(version "$python"), $when, lg_prof_sample:$sample"; }
                [ ! -s "$work/errors" ] || { cat "$work/errors"; fail "embed: something on stderr"; }
                nothing_odd embed
                grep -qa '^# frame .*<string>' "$work"/dumps/*.f.heap || fail "embed: no frames of $(version "$python")"
            done
        done
        echo "embed: $(version "$python"): 6 runs of three interpreters each"
    done
}

# The tests that `COMMAND -m test` is asked for, and what fails of them, a line each.
OWN=(test_threading test_thread test_fork1 test_gc test_subprocess test_tracemalloc test_asyncgen test_contextlib_async test_asyncio)
own_failures() {
    local tests=$1
    shift
    # shellcheck disable=SC2086 # words
    "$@" -m test --timeout 300 $tests 2>/dev/null | sed -n '/tests\? failed:/,/^$/p' | grep '^ ' | tr -s ' ' '\n' | grep . || true
}

own() {
    local python plain ours
    for python in "${pythons[@]}"; do
        if ! "$python" -c 'import test.test_gc, test.test_threading' 2>/dev/null; then
            echo "passed over: $(version "$python") has no tests of its own"
            continue
        fi
        ours=$(cd "$work" && with "lg_prof_sample:12,prof_python_objects:true" own_failures "${OWN[*]}" "$python")
        nothing_odd own
        # On a busy machine some fail for want of time: what fails with us is tried again, with and without.
        plain=
        if [ -n "$ours" ]; then
            plain=$(cd "$work" && own_failures "${ours//$'\n'/ }" "$python")
            ours=$(cd "$work" && with "lg_prof_sample:12,prof_python_objects:true" own_failures "${ours//$'\n'/ }" "$python")
            ours=$(comm -13 <(sort <<<"$plain") <(sort <<<"$ours"))
        fi
        [ -z "$ours" ] || fail "own tests of $(version "$python"): with us alone fail $ours"
        echo "own: $(version "$python"): as without us (failed: ${plain:-none})"
    done
}

# Processor time of a command in milliseconds.
spent() {
    local TIMEFORMAT='%U %S'
    { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "%d\n", ($1 + $2) * 1000 }'
}

cost() {
    local rounds=$1 python kind round options
    for python in "${pythons[@]}"; do
        for kind in names objects; do
            options="lg_prof_sample:auto,prof_python_objects:$([ $kind = objects ] && echo true || echo false)"
            for ((round = 0; round < rounds; round++)); do
                echo "$(spent "$python" "$here/tests/python/busy.py") $(spent with "$options" "$python" "$here/tests/python/busy.py")"
            done | awk '{ print $2 / $1 }' | sort -n | awk -v name="cost: $(version "$python"), $kind" \
                '{ ratio[NR] = $1 } END { printf "%s: x%.3f (quartiles %.3f to %.3f of %d pairs)\n", name, ratio[int((NR + 1) / 2)], ratio[int((NR + 3) / 4)], ratio[int((3 * NR + 3) / 4)], NR }'
        done
    done
}

[ $# -gt 0 ] || set -- tests=1 storm=3 embed=1 own=1 cost=15
find_pythons
for part in "$@"; do
    case $part in
        tests=*) tests ;;
        storm=* | embed=* | own=* | cost=*) "${part%%=*}" "${part#*=}" ;;
        *) fail "what is $part?" ;;
    esac
done
