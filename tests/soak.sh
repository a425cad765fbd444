#!/usr/bin/env bash
# A service of each kind for as long as it is told, with every option on: a JVM, Puma and Node under load. Our own memory must
# stay flat, the dumps bounded, the throughput steady. Prints a line for each service and tenth of the time.
#
#   tests/soak.sh [MINUTES] [jvm] [puma] [node]     120 minutes, all three
#
# Fails when a service ends early or answers wrong; when profiler_bytes, as the dumps state it, grows by more than a quarter and
# 8 MB over the second half; when there are more dumps than prof_keep; when the last tenth has fewer answers than 70 % of the median.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
library=${MALLOSCOPE_LIB:-$here/target/release/libmalloscope.so}
work=${WORK:-$(mktemp -d /tmp/soak.XXXXXX)}
minutes=${1:-120}
shift
services=${*:-jvm puma node}
keep=6
conf=prof:true,prof_final:true,prof_timer:5,prof_gdump:true,prof_accum:true,prof_mmap:true,prof_java_heap:true,prof_control:true
conf+=,prof_python_objects:true,prof_ruby_objects:true,prof_js_heap:true,prof_memory_limit:95,prof_keep:$keep,prof_sys_thread_name:true
mkdir -p "$work"
cp "$library" "$work/libmalloscope.so" || exit 1

# Each service answers GET / on the socket or port that it is given, and keeps a bounded cache.
jvm() {
    cat >Soak.java <<'JAVA'
import com.sun.net.httpserver.*;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.*;
public class Soak {
    public static void main(String[] a) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[0])), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        Map<Long, byte[]> cache = Collections.synchronizedMap(new LinkedHashMap<>() {
            protected boolean removeEldestEntry(Map.Entry<Long, byte[]> e) { return size() > 5000; } });
        server.createContext("/", e -> {
            Deflater d = new Deflater(); byte[] out = new byte[1000];
            d.setInput(new byte[20000]); d.finish(); int n = d.deflate(out); d.end();
            cache.put(System.nanoTime(), new byte[2000]);
            e.sendResponseHeaders(200, n); e.getResponseBody().write(out, 0, n); e.close();
        });
        server.start();
    }
}
JAVA
    exec java -Xmx256m -Dsun.net.httpserver.nodelay=true Soak.java "$1"
}

puma() {
    cat >config.ru <<'RUBY'
require 'zlib'
CACHE = {}
run ->(_env) {
  CACHE[rand(5000)] = 'x' * 2000
  [200, {}, [Zlib::Deflate.deflate(CACHE.values.sample(20).join)]]
}
RUBY
    exec puma -q -t 4:4 -b "tcp://127.0.0.1:$1" config.ru
}

node() {
    cat >soak.js <<'JS'
const http = require('http'), zlib = require('zlib'), cache = new Map();
http.createServer((q, r) => {
    cache.set(Math.floor(Math.random() * 5000), Buffer.alloc(2000, 1));
    zlib.gzip('x'.repeat(20000), (error, body) => r.end(body));
}).listen(Number(process.argv[2]), '127.0.0.1');
JS
    exec node soak.js "$1"
}

# Asks a service on port $1 for $2 seconds, in 4 threads: how many answers came, and how many were wrong.
load() {
    env -u LD_PRELOAD -u MALLOSCOPE_CONF python3 - "$1" "$2" <<'PYTHON'
import http.client, sys, threading, time
port, end, counts = int(sys.argv[1]), time.monotonic() + float(sys.argv[2]), [[0, 0] for _ in range(4)]
def ask(count):
    while time.monotonic() < end:
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        try:
            while time.monotonic() < end:
                connection.request('GET', '/')
                answer = connection.getresponse()
                answer.read()
                count[0 if answer.status == 200 else 1] += 1
                time.sleep(0.002)
        except Exception:
            count[1] += 1
            time.sleep(0.1)
threads = [threading.Thread(target=ask, args=(count,)) for count in counts]
[t.start() for t in threads], [t.join() for t in threads]
print(sum(c[0] for c in counts), sum(c[1] for c in counts))
PYTHON
}

newest_fact() { # the number behind "# $2 " in the newest dump of directory $1
    local newest
    newest=$(find "$1" -name '*.heap' -printf '%T@ %p\n' | sort -rn | head -1 | cut -d' ' -f2-)
    [ -n "$newest" ] && awk -v key="$2" '$1 == "#" && $2 == key { print $3; exit }' "$newest"
}

soak() {
    local service=$1 port=$2 directory=$work/$1 tenth answers wrong
    mkdir -p "$directory/dumps"
    cd "$directory" || return 1
    export -f "$service"
    LD_PRELOAD=$work/libmalloscope.so MALLOSCOPE_CONF=$conf,prof_prefix:$directory/dumps/m bash -c "$service $port" >out 2>&1 &
    local pid=$!
    for _ in $(seq 300); do
        curl -s "http://127.0.0.1:$port/" >/dev/null && break
        sleep 0.2
    done
    local seconds=$((minutes * 6)) all=() bytes=() failed=0
    for tenth in $(seq 10); do
        read -r answers wrong <<<"$(load "$port" "$seconds")"
        kill -0 $pid 2>/dev/null || { echo "$service ended"; failed=1; break; }
        local files own rss
        files=$(find dumps -name "*.$pid.*.heap" | wc -l)
        own=$(newest_fact dumps profiler_bytes)
        rss=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
        echo "$service $tenth/10: $answers answers, $wrong wrong, profiler $((${own:-0} / 1024)) KB, RSS $rss KB, $files dumps"
        all+=("$answers") bytes+=("${own:-0}")
        [ "$wrong" -gt 0 ] && { echo "$service: wrong answers"; failed=1; }
        [ "$files" -gt $keep ] && { echo "$service: $files dumps of $keep"; failed=1; }
    done
    if [ ${#all[@]} = 10 ]; then
        local median
        median=$(printf '%s\n' "${all[@]}" | sort -n | sed -n 5p)
        [ $((all[9] * 100)) -lt $((median * 70)) ] && { echo "$service: slower at the end"; failed=1; }
        [ $((bytes[9])) -gt $((bytes[4] * 5 / 4 + (8 << 20))) ] && { echo "$service: our memory grows"; failed=1; }
    fi
    kill $pid
    wait $pid 2>/dev/null
    return $failed
}

port=18480
pids=()
for service in $services; do
    port=$((port + 1))
    (soak "$service" $port) &
    pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
done
echo "left in $work"
exit $failed
