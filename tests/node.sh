#!/usr/bin/env bash
# The tests of Node on the installed one and on Node 20, 22 and 24 as npm has them, and what takes
# long: many runs with workers, moving code, a cluster, at two rates, with V8's sampler.
#
#     tests/node.sh [RUNS]       RUNS of each stress, 10 by default
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
work=${NODES:-target/nodes}
library=$PWD/target/release/libmalloscope.so

nodes=()
for version in 20 22 24; do
    home=$work/$version
    if [ ! -x "$home/node_modules/node/bin/node" ]; then
        mkdir -p "$home"
        (cd "$home" && npm install --silent --no-audit --no-fund "node@$version" >/dev/null)
    fi
    nodes+=("$(realpath "$home/node_modules/node/bin/node")")
done
installed=$(command -v node || true)
list=$(IFS=:; echo "${nodes[*]}${installed:+:$installed}")

cargo build --quiet --release -p preload
MALLOSCOPE_NODES=$list cargo test --quiet --test preload node::

# Exit status and output of `node $@`, plain and under us, RUNS times; any difference ends it.
same() {
    local node=$1 expected found status
    shift
    expected=$("$node" "$@" 2>&1; echo "status $?")
    for ((run = 0; run < runs; run++)); do
        for rate in 0 10; do
            found=$(MALLOSCOPE_CONF=prof:true,prof_final:true,lg_prof_sample:$rate,prof_js_heap:auto,prof_prefix: \
                LD_PRELOAD=$library timeout 120 "$node" "$@" 2>&1; echo "status $?")
            if [ "$found" != "$expected" ]; then
                printf '%s %s, lg_prof_sample:%s:\n%s\ninstead of\n%s\n' "$node" "$*" $rate "$found" "$expected"
                exit 1
            fi
        done
    done
    echo "$("$node" --version) ${*: -1}: $runs runs at each rate, all as without us"
}

for node in "${nodes[@]}"; do
    same "$node" tests/node/workers.js
    same "$node" --expose-gc tests/node/moving.js
    same "$node" tests/node/cluster.js
    same "$node" --expose-gc tests/node/names.js
done
