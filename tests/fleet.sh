#!/usr/bin/env bash
# What leaves a machine, taken by the real engines: DuckDB (from PyPI), Prometheus, its node exporter and
# VictoriaMetrics (from Debian), and an agent's client. Doubles of Pyroscope and Parca: `cargo test -p jeprof-compat --test fleet`.
#
#   tests/fleet.sh [WHAT ...]      all of it: duckdb prometheus victoria mcp env
#
# duckdb      the statement of docs/fleet.md over 1,000 pods, 100 of which leak
# prometheus  promtool, then the node exporter's textfile directory, scraped by Prometheus and queried
# victoria    an import and a query
# env         what `malloscope env` prints: systemd-analyze verify, and a schema of Kubernetes (from PyPI)
# mcp         the official client of the Model Context Protocol (from PyPI) asks for suspects and stacks
#
# Takes MALLOSCOPE (the companion) and MALLOSCOPE_LIB (the library), else those of the release build.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
malloscope=${MALLOSCOPE:-$target/release/malloscope}
library=${MALLOSCOPE_LIB:-$target/release/libmalloscope.so}
work=$(mktemp -d)
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
[ -f "$library" ] || fail "$library is missing: cargo build --release -p preload"
[ -x "$malloscope" ] || fail "$malloscope is missing: cargo build --release -p jeprof-compat"

# A port that is free now.
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# Waits until a command succeeds, a minute at most.
until_true() {
    local _
    for _ in $(seq 120); do "$@" >/dev/null 2>&1 && return; sleep 0.5; done
    fail "in vain: $*"
}
serve() { "$@" >>"$work/servers.log" 2>&1 & servers+=($!); }

# Dumps of a program that leaks 1.95 MB/s, and of one that does not.
cc -O2 -g -o "$work/shapes" "$here/examples/verdicts/shapes.c"
for shape in leak lru; do
    mkdir "$work/$shape"
    MALLOSCOPE_CONF=prof:true,lg_prof_sample:13,prof_timer:1,prof_prefix:$work/$shape/m LD_PRELOAD=$library \
        "$work/shapes" $shape 10 >/dev/null &
done
wait
"$malloscope" metrics "$work/leak" --service shop >"$work/shop.prom"

installed() {
    [ -d "$work/venv" ] || python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet "$1"
}

duckdb() {
    installed duckdb
    for shape in leak lru; do "$malloscope" table "$work/$shape" --json-lines --service shop >"$work/$shape.ndjson"; done
    "$work/venv/bin/python" - "$here/docs/fleet.md" "$work" <<'PYTHON'
import gzip, json, os, re, sys, time
import duckdb
page, work = sys.argv[1:]
statement = re.search(r"```sql\n(.*?)```", open(page).read(), re.S).group(1)
os.mkdir(f"{work}/pods")
os.chdir(f"{work}/pods")
for pod in range(1000):
    shape = "leak" if pod < 100 else "lru"
    with open(f"{work}/{shape}.ndjson") as lines, gzip.open(f"web-{pod}.ndjson.gz", "wt", 1) as out:
        for line in map(json.loads, lines):
            # A cache grows while it fills.
            if shape == "leak" or line["uptime_seconds"] > 6:
                out.write(json.dumps(line | {"pod": f"web-{pod}"}) + "\n")
start = time.time()
rows = duckdb.sql(statement).fetchall()
size = sum(os.path.getsize(name) for name in os.listdir("."))
print(f"duckdb: 1,000 pods, {size / 1e6:.1f} MB, {time.time() - start:.1f} s:")
for row in rows[:3]:
    print("  ", row)
service, culprit, module, grew, pods, rate, error = rows[0]
assert (service, culprit, module) == ("shop", "log_error", "shapes"), rows[0]
assert (grew, pods) == (100, 100), rows[0]
# 2,000 blocks of 1,024 bytes a second and pod, less what the program does not get to.
assert abs(rate - 100 * 3600 * 2.0) < 0.15 * 100 * 3600 * 2.0, rate
assert 0 < error < 0.05 * rate, error
PYTHON
}

mcp() {
    installed mcp
    "$work/venv/bin/python" - "$malloscope" "$work/leak" <<'PYTHON'
import asyncio, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def ask(program, dumps):
    async with stdio_client(StdioServerParameters(command=program, args=["mcp"])) as (read, write):
        async with ClientSession(read, write) as session:
            hello = await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            assert tools == ["suspects", "diff", "table", "stack", "doctor", "dump"], tools
            found = str(await session.call_tool("suspects", {"path": dumps}))
            assert '"verdict": "leak"' in found and "log_error" in found, found[:2000]
            stacks = str(await session.call_tool("stack", {"path": dumps, "function": "log_error"}))
            assert "main;leak" in stacks, stacks
            doctor = str(await session.call_tool("doctor", {"program": "true"}))
            assert '"verdict": "ok"' in doctor, doctor
            missing = str(await session.call_tool("table", {"path": "/nowhere"}))
            assert "is_error=True" in missing or "isError=True" in missing, missing
            print("mcp:", hello, tools)

asyncio.run(ask(*sys.argv[1:]))
PYTHON
}

env_forms() {
    mkdir -p "$work/units/shop.service.d"
    printf '[Service]\nExecStart=/bin/true\n' >"$work/units/shop.service"
    "$malloscope" env systemd --only 'java|worker' -- /usr/bin/env 'a%b' >"$work/units/shop.service.d/malloscope.conf"
    local said
    # It complains of the machine's own units, too.
    said=$(systemd-analyze verify --man=no "$work/units/shop.service" 2>&1 | grep -E 'shop|malloscope' || true)
    [ -z "$said" ] || fail "systemd-analyze: $said"
    echo "systemd: verified"
    "$malloscope" env k8s --only java -- java -jar app.jar |
        sed 's/DEPLOYMENT/shop/; s/CONTAINER/app/' >"$work/patch.yaml"
    installed 'kubernetes-validate'
    "$work/venv/bin/python" - "$work/patch.yaml" <<'PYTHON'
import os, shutil, subprocess, sys, yaml, kubernetes_validate

text = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: "shop:1"}]}
"""
base = yaml.safe_load(text)

def merged(old, new):
    """A strategic merge, as kubectl makes it: lists of named things by their names."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old[key], value) if key in old else value for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list) and all("name" in item for item in old + new):
        names = [item["name"] for item in old + new]
        both = {item["name"]: item for item in old}
        for item in new:
            both[item["name"]] = merged(both.get(item["name"], {}), item)
        return [both[name] for name in dict.fromkeys(names)]
    return new

deployment = merged(base, yaml.safe_load(open(sys.argv[1])))
kubernetes_validate.validate(deployment, "1.28", strict=True)
container = deployment["spec"]["template"]["spec"]["containers"][0]
assert container["image"] == "shop:1" and container["env"][0]["name"] == "MALLOSCOPE_POD", container
assert deployment["metadata"]["name"] == "shop" and len(deployment["spec"]["template"]["spec"]["containers"]) == 1
if shutil.which("kubectl"):
    # Both ways that the comment names, as kubectl goes them without a cluster.
    folder = os.path.dirname(sys.argv[1])
    write = lambda name, text: open(f"{folder}/{name}", "w").write(text)
    write("base.yaml", text)
    write("kustomization.yaml", "resources: [base.yaml]\npatches: [{path: patch.yaml, target: {kind: Deployment, name: shop}}]\n")
    for way in (["patch", "--local", "-f", "base.yaml", "--patch-file", "patch.yaml", "-o", "yaml"], ["kustomize", "."]):
        made = subprocess.run(["kubectl", *way], cwd=folder, check=True, capture_output=True, timeout=60, text=True).stdout
        assert yaml.safe_load(made) == deployment, made
print("kubernetes: the patched deployment is valid")
PYTHON
}

prometheus() {
    promtool check metrics <"$work/shop.prom"
    mkdir "$work/textfile" "$work/data"
    cp "$work/shop.prom" "$work/textfile/"
    local exporter server
    exporter=$(port)
    serve prometheus-node-exporter --web.listen-address="127.0.0.1:$exporter" --collector.disable-defaults \
        --collector.textfile --collector.textfile.directory="$work/textfile"
    printf 'global: {scrape_interval: 1s}\nscrape_configs: [{job_name: n, static_configs: [{targets: ["127.0.0.1:%s"]}]}]\n' \
        "$exporter" >"$work/prometheus.yml"
    server=$(port)
    serve command prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
        --web.listen-address="127.0.0.1:$server"
    asked "http://127.0.0.1:$server/api/v1/query" prometheus
}

victoria() {
    local server
    server=$(port)
    mkdir "$work/victoria"
    serve victoria-metrics -storageDataPath="$work/victoria" -httpListenAddr="127.0.0.1:$server" \
        -search.latencyOffset=0s
    until_true curl -sf "http://127.0.0.1:$server/health"
    curl -sf --data-binary @"$work/shop.prom" "http://127.0.0.1:$server/api/v1/import/prometheus?extra_label=pod=web-1"
    asked "http://127.0.0.1:$server/api/v1/query" victoria
}

# The engine at URL answers which place leaks for certain.
asked() {
    local query='topk(1, malloscope_leak_bytes_per_second_low{service="shop"} > 0)'
    # shellcheck disable=SC2329 # called by until_true
    answered() { curl -sf --get --data-urlencode "query=$query" "$1" | grep -q '"culprit":"log_error"'; }
    until_true answered "$1"
    echo "$2: $query"
    curl -sf --get --data-urlencode "query=$query" "$1" | head -c 400
    echo
}

for what in "${@:-duckdb prometheus victoria mcp env}"; do
    for one in $what; do
        # env is a program.
        case $one in env) env_forms ;; *) "$one" ;; esac
    done
done
echo "the engines agree"
