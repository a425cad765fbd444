#!/usr/bin/env bash
# Programs as Debian packages them, plain and preloaded with all options on that print nothing, and a table: the result of each, the dumps and
# whether they can be read, how much longer it took and how much more processor time, how much more memory its largest process had.
#
#   tests/real-programs.sh [NAME ...]    all of them without a name
#
# A program fails here if it passes plain and not preloaded, or if a dump cannot be read. Needs root, the release build of
# preload, and a companion (MALLOSCOPE names one, else target/release/malloscope). Installs what is missing. Each program prints its
# result as a line that does not depend on time. What it left stays in $WORK (default: a new directory) for a look.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
library=${MALLOSCOPE_LIB:-$here/target/release/libmalloscope.so}
reader=${MALLOSCOPE:-$here/target/release/malloscope}
work=${WORK:-$(mktemp -d /tmp/real-programs.XXXXXX)}
mkdir -p "$work"
chmod 755 "$work"
cp "$library" "$work/libmalloscope.so" || exit 1
all='postgresql mariadb redis nginx apache php_fpm sshd cpython numpy node npm_package jvm javac chromium gcc cargo git'
everything=prof:true,prof_final:true,prof_final_signal:true,prof_timer:2,prof_gdump:true,prof_accum:true,prof_mmap:true
everything+=,prof_java_heap:true,prof_python_objects:true,prof_ruby_objects:true,prof_js_heap:true,prof_control:true
everything+=,prof_memory_limit:95,prof_keep:8,prof_sys_thread_name:true

packages='/usr/bin/pgbench postgresql-contrib
/usr/sbin/mariadbd mariadb-server
/usr/bin/redis-benchmark redis-tools
/usr/bin/redis-server redis-server
/usr/sbin/nginx nginx-light
/usr/sbin/apache2 apache2
/usr/sbin/php-fpm8.2 php-fpm
/usr/sbin/sshd openssh-server
/usr/lib/python3.11/test/test_threading.py libpython3.11-testsuite
/usr/lib/python3/dist-packages/numpy python3-numpy
/usr/bin/node nodejs
/usr/bin/npm npm
/usr/bin/javac default-jdk-headless
/usr/bin/chromium chromium
/usr/bin/g++ g++
/usr/bin/cargo cargo
/usr/bin/git git
/usr/bin/curl curl'
missing=$(while read -r file package; do
    [ -e "$file" ] || command -v "${file##*/}" >/dev/null || echo "$package"
done <<<"$packages" | sort -u)
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || exit 1
fi

# Waits until a command succeeds, 30 s at most.
until_ok() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "never: $*"
    return 1
}

# Ends a process that this script started, and waits for it.
finish() {
    kill -"${2:-TERM}" "$1"
    wait "$1"
}

# Each program runs in an empty directory of its own, with what it needs in $PWD.

as_postgres() { runuser -u postgres -- "$@"; }

postgresql() {
    local bin
    bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | tail -1)")
    chown postgres . && chmod 755 .
    as_postgres "$bin/initdb" -D data -A trust >initdb.log 2>&1 || return 1
    as_postgres "$bin/postgres" -D data -k "$PWD" -c listen_addresses= >server.log 2>&1 &
    local server=$!
    until_ok as_postgres "$bin/pg_isready" -q -h "$PWD" || return 1
    as_postgres "$bin/pgbench" -q -i -s 2 -h "$PWD" postgres >init.log 2>&1
    as_postgres "$bin/pgbench" -n -c 4 -j 2 -t 300 -h "$PWD" postgres 2>/dev/null | grep -E 'processed|failed'
    as_postgres "$bin/psql" -h "$PWD" -At -c 'select count(*), count(distinct bid) from pgbench_accounts' postgres
    as_postgres "$bin/pg_ctl" stop -s -D data -m fast
    wait $server
    echo "ended $?"
}

mariadb() {
    mariadb-install-db --user=root --datadir="$PWD/data" --auth-root-authentication-method=normal >install.log 2>&1 || return 1
    mariadbd --no-defaults --user=root --datadir="$PWD/data" --socket="$PWD/s" --skip-networking --pid-file="$PWD/pid" >server.log 2>&1 &
    local server=$!
    until_ok mariadb-admin --no-defaults -uroot -S "$PWD/s" ping || return 1
    {
        echo 'create database d; use d; create table t (id int primary key auto_increment, v varchar(200));'
        for n in $(seq 300); do echo "insert into t (v) values (repeat('x', $((n % 200))));"; done
        echo 'insert into t (v) select v from t; insert into t (v) select v from t; insert into t (v) select v from t;'
        echo 'alter table t add index (v); select count(*), sum(length(v)) from t; check table t;'
    } | command mariadb --no-defaults -uroot -S "$PWD/s" -N
    mariadb-admin --no-defaults -uroot -S "$PWD/s" shutdown
    wait $server
    echo "ended $?"
}

redis() {
    redis-server --port 0 --unixsocket "$PWD/s" --dir "$PWD" --appendonly yes --save 1 1 --enable-debug-command yes >server.log 2>&1 &
    local server=$!
    until_ok redis-cli -s s ping || return 1
    redis-benchmark -s s -n 20000 -r 5000 -q -t set,lpush,incr,sadd,hset >benchmark.log || echo "benchmark $?"
    redis-cli -s s bgsave >/dev/null
    until_ok eval 'redis-cli -s s info persistence | grep -q rdb_bgsave_in_progress:0'
    redis-cli -s s bgrewriteaof >/dev/null
    until_ok eval 'redis-cli -s s info persistence | grep -q aof_rewrite_in_progress:0'
    redis-cli -s s info persistence | grep -E 'last_bgsave_status|last_bgrewrite_status|last_write_status' | tr -d '\r'
    redis-cli -s s llen mylist
    redis-cli -s s debug reload
    redis-cli -s s shutdown save
    wait $server
    echo "ended $?"
}

# curl N times; how many answers were right. $1: number, $2: what they hold, then curl's arguments.
fetch_all() {
    local right=0
    for _ in $(seq "$1"); do
        curl -s --max-time 20 "${@:3}" | grep -q "$2" && right=$((right + 1))
    done
    echo "$right right"
}

nginx() {
    mkdir -p html logs
    for n in $(seq 2000); do echo "line $n of a page"; done >html/index.html
    cat >nginx.conf <<CONF
daemon off; worker_processes 2; user root; pid $PWD/pid; error_log $PWD/logs/error.log;
events { worker_connections 64; }
http { access_log off; gzip on; gzip_types *; server { listen unix:$PWD/s; root $PWD/html; } }
CONF
    command nginx -p "$PWD" -c "$PWD/nginx.conf" &
    local server=$!
    until_ok test -S s || return 1
    for _ in 1 2 3 4 5; do
        fetch_all 20 'line 1999' --compressed --unix-socket s http://x/
        finish_reload nginx -p "$PWD" -c "$PWD/nginx.conf" -s reload
    done
    kill -QUIT $server
    wait $server
    echo "ended $?"
}

finish_reload() {
    command "$@" >/dev/null 2>&1 || echo "reload $?"
    sleep 0.3
}

apache() {
    mkdir -p html
    echo 'the page' >html/index.html
    cat >apache.conf <<CONF
ServerRoot $PWD
ServerName x
PidFile $PWD/pid
ErrorLog $PWD/error.log
Listen 127.0.0.1:18471
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
DocumentRoot $PWD/html
User www-data
CONF
    chmod 755 . html
    apache2 -f "$PWD/apache.conf" -DFOREGROUND &
    local server=$!
    until_ok curl -s http://127.0.0.1:18471/ || return 1
    for _ in 1 2 3 4 5; do
        fetch_all 20 'the page' http://127.0.0.1:18471/
        finish_reload apache2 -f "$PWD/apache.conf" -k graceful
    done
    finish $server TERM
    echo "ended $?"
}

php_fpm() {
    mkdir -p html
    # shellcheck disable=SC2016 # PHP's own variables
    echo '<?php $a = []; for ($i = 0; $i < 5000; $i++) $a[] = str_repeat("x", $i % 300); echo md5(serialize($a)), preg_match("/x{9}/", $a[50]);' >html/index.php
    cat >fpm.conf <<CONF
[global]
error_log = $PWD/error.log
[www]
user = www-data
listen = $PWD/fpm
listen.mode = 0666
pm = dynamic
pm.max_children = 3
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 2
pm.max_requests = 25
CONF
    cat >nginx.conf <<CONF
daemon off; worker_processes 1; user root; pid $PWD/pid; error_log $PWD/nginx.log;
events { worker_connections 64; }
http { access_log off; server { listen unix:$PWD/s; location / { include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME $PWD/html/index.php; fastcgi_pass unix:$PWD/fpm; } } }
CONF
    chmod 755 . html
    php-fpm8.2 -F -y "$PWD/fpm.conf" >/dev/null 2>&1 &
    local server=$!
    env -u LD_PRELOAD -u MALLOSCOPE_CONF nginx -p "$PWD" -c "$PWD/nginx.conf" &
    local front=$!
    until_ok curl -sf --unix-socket s http://x/ || return 1
    curl -s --unix-socket s http://x/
    echo
    fetch_all 100 '^[0-9a-f]\{32\}1$' --unix-socket s http://x/
    kill -USR2 $server
    until_ok curl -sf --unix-socket s http://x/
    fetch_all 20 '^[0-9a-f]\{32\}1$' --unix-socket s http://x/
    finish $front QUIT
    finish $server QUIT
    echo "ended $?"
}

sshd() {
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -t ed25519 -N '' -f host && cp key.pub authorized
    chmod 600 authorized
    cat >sshd.conf <<CONF
Port 18472
ListenAddress 127.0.0.1
HostKey $PWD/host
AuthorizedKeysFile $PWD/authorized
PidFile $PWD/pid
StrictModes no
UsePAM no
PermitRootLogin yes
CONF
    /usr/sbin/sshd -D -f "$PWD/sshd.conf" -E "$PWD/log" &
    local server=$!
    sleep 1
    local options=(-F none -i key -p 18472 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
    for n in 1 2 3 4 5; do
        env -u LD_PRELOAD -u MALLOSCOPE_CONF ssh "${options[@]}" root@127.0.0.1 "echo answer $n; seq 20000 | md5sum"
    done
    finish $server TERM
    echo "ended $?"
}

cpython() {
    local tests='test_threading test_fork1 test_subprocess test_signal test_mmap test_asyncio.test_events test_asyncio.test_subprocess'
    # shellcheck disable=SC2086 # a list of names
    /usr/bin/python3 -m test --timeout 300 $tests >log 2>&1
    echo "ended $?"
    grep -E '^(test_.* (failed|crashed).*|Result: .*)$' log | sort -u
}

numpy() {
    /usr/bin/python3 - <<'PYTHON'
import hashlib
import numpy as np
a = np.random.default_rng(1).random((400, 400))
digest = hashlib.sha256()
for n in range(30):
    b = a @ a.T / 400
    digest.update(np.round(np.linalg.eigvalsh(b)[-3:], 6).tobytes())
    digest.update(np.sort(a, axis=None)[::999].tobytes())
    a = np.roll(a, 7, axis=n % 2)
print(digest.hexdigest(), np.__version__)
PYTHON
}

node() {
    cat >server.js <<'JS'
const http = require('http'), zlib = require('zlib'), { Worker, isMainThread } = require('worker_threads');
if (!isMainThread) { let kept = []; for (let i = 0; i < 2000; i++) kept.push(Buffer.alloc(1000, i)); process.exit(0); }
let kept = [], right = 0, left = 1500;
const server = http.createServer((q, r) => { kept.push({ at: kept.length, text: 'x'.repeat(200) }); zlib.gzip(JSON.stringify(kept.slice(-50)), (e, b) => r.end(b)); });
function ask() { if (left-- <= 0) return; http.get({ socketPath: 's' }, r => { let all = []; r.on('data', d => all.push(d)); r.on('end', () => {
    right += JSON.parse(zlib.gunzipSync(Buffer.concat(all))).length > 0; if (right == 1500) { console.log(right, 'right'); server.close(() => process.exit(0)); } else ask(); }); }); }
server.listen('s', () => { new Worker(__filename).on('exit', code => { console.log('worker', code); for (let i = 0; i < 8; i++) ask(); }); });
JS
    command node server.js
    echo "ended $?"
}

npm_package() {
    echo '{}' >package.json
    npm install --silent --no-audit --no-fund minimist@1.2.8 tape@5.9.0 >/dev/null 2>npm.log
    echo "installed $?"
    command node node_modules/tape/bin/tape 'node_modules/minimist/test/*.js' | grep -E '^# (tests|pass|fail|ok)'
}

jvm() {
    cat >Server.java <<'JAVA'
import com.sun.net.httpserver.*;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.*;
public class Server {
    static final List<byte[]> kept = Collections.synchronizedList(new ArrayList<>());
    public static void main(String[] a) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", e -> {
            Deflater d = new Deflater(); byte[] in = new byte[20000], out = new byte[1000];
            d.setInput(in); d.finish(); int n = d.deflate(out); d.end();
            kept.add(new byte[500]);
            e.sendResponseHeaders(200, n); e.getResponseBody().write(out, 0, n); e.close();
        });
        server.start();
        URL url = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/").toURL();
        ExecutorService clients = Executors.newFixedThreadPool(4);
        List<Future<Long>> sums = new ArrayList<>();
        for (int c = 0; c < 4; c++) sums.add(clients.submit(() -> {
            long sum = 0;
            for (int i = 0; i < 2000; i++) try (var in = url.openStream()) { sum += in.readAllBytes().length; }
            return sum;
        }));
        long sum = 0;
        for (Future<Long> f : sums) sum += f.get();
        System.out.println(sum + " bytes, kept " + kept.size());
        System.exit(0);
    }
}
JAVA
    java -Dsun.net.httpserver.nodelay=true Server.java
    echo "ended $?"
}

javac() {
    mkdir classes
    for n in $(seq 150); do
        echo "package p; public class C$n { java.util.Map<String, java.util.List<Integer>> m = new java.util.HashMap<>(); int f(int x) { return m.values().stream().mapToInt(l -> l.size() + x).sum() + $n; } }" >"C$n.java"
    done
    command javac -d classes ./*.java
    echo "ended $?"
    find classes -name '*.class' | sort | xargs cat | md5sum
}

chromium() {
    cat >page.html <<'HTML'
<!DOCTYPE html><title>t</title><div id=x></div><script>
let s = 0; for (let i = 0; i < 300000; i++) s = (s * 31 + i) % 1000003;
for (let i = 0; i < 500; i++) document.body.appendChild(document.createElement('p')).textContent = i;
document.getElementById('x').textContent = 'sum ' + s;</script>
HTML
    command chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$PWD/profile" --dump-dom "file://$PWD/page.html" 2>log | md5sum
    echo "ended ${PIPESTATUS[0]}"
}

gcc() {
    cat >a.cpp <<'CPP'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <unordered_map>
#include <vector>
template <int N> struct F { static int f(std::map<int, std::vector<std::string>> &m) { m[N].push_back(std::to_string(N)); return F<N - 1>::f(m); } };
template <> struct F<0> { static int f(std::map<int, std::vector<std::string>> &m) { return m.size(); } };
int main() { std::map<int, std::vector<std::string>> m; std::regex r("a+b"); std::cout << F<300>::f(m) << std::regex_match("aab", r) << "\n"; }
CPP
    g++ -O2 -c a.cpp -o a.o && g++ a.o -o a && ./a
    md5sum <a.o
}

cargo() {
    command cargo init --quiet --name realprogram . 2>/dev/null
    cat >src/main.rs <<'RUST'
use std::collections::BTreeMap;
fn main() { let m: BTreeMap<u32, String> = (0..1000).map(|n| (n, n.to_string())).collect(); println!("{}", m.values().map(String::len).sum::<usize>()); }
#[test] fn it_works() { let v: Vec<_> = (0..1 << 16).map(|n| vec![n; 3]).collect(); assert_eq!(v.len(), 65536); }
RUST
    command cargo run --quiet --release 2>&1
    command cargo test --quiet 2>&1 | grep 'test result' | cut -d';' -f1-2
}

git() {
    export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a
    export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
    command git init -q . 2>/dev/null
    for round in $(seq 12); do
        for n in $(seq 60); do seq $((n * round)) $((n * round + 400)) >"f$n"; done
        command git add . && command git commit -q -m "round $round"
    done
    command git gc --quiet --aggressive && command git fsck --strict 2>&1
    command git log --format=%H -1
    command git repack -adq && command git verify-pack .git/objects/pack/*.idx && echo verified
}

# One run of program $1: $2 is "plain" or "with". Prints the wall time and the processor time in seconds, and the largest resident set in KB.
one() {
    local directory=$work/$1.$2
    rm -rf "$directory"
    mkdir -p "$directory" "$work/dumps.$1"
    chmod 1777 "$work/dumps.$1"
    local preload='' conf=''
    [ "$2" = plain ] || preload=$work/libmalloscope.so conf=$everything,prof_prefix:$work/dumps.$1/m
    export -f "$1" until_ok finish fetch_all finish_reload as_postgres
    (cd "$directory" && python3 - "$1" "$preload" "$conf" "$work/$1.$2.out" <<'PYTHON'
import os, resource, subprocess, sys, time
name, preload, conf, out = sys.argv[1:]
environment = dict(os.environ)
if preload:
    environment.update(LD_PRELOAD=preload, MALLOSCOPE_CONF=conf)
begin = time.monotonic()
with open(out, 'w') as file:
    try:
        child = subprocess.Popen(['timeout', '-k', '5', '420', 'bash', '-c', name], stdout=file, stderr=file, env=environment)
        code = child.wait()
    except KeyboardInterrupt:
        code = 130
    file.write(f'exit {code}\n')
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f'{time.monotonic() - begin:.2f} {used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss}')
PYTHON
    )
}

# How many dumps program $1 left, and how many of them are whole; the largest three are read.
dumps() {
    local count=0 good=0 file
    while read -r file; do
        count=$((count + 1))
        [ "$(tail -n 1 "$file")" = '# end' ] && good=$((good + 1))
    done < <(find "$work/dumps.$1" -name '*.heap')
    while read -r file; do
        "$reader" table "$file" >/dev/null 2>"$work/$1.reader" || good=$((good - 1))
    done < <(find "$work/dumps.$1" -name '*.heap' -printf '%s %p\n' | sort -rn | head -3 | cut -d' ' -f2-)
    echo "$count $good"
}

failed=0
ratio() { awk "BEGIN { printf \"x%.2f\", $1 / $2 }"; }
printf '%-12s %-8s %-10s %12s %8s %8s %8s\n' program plain preloaded 'dumps read' wall CPU RSS
# shellcheck disable=SC2086 # a list of names
for program in ${*:-$all}; do
    read -r plain_wall plain_cpu plain_rss <<<"$(one "$program" plain)"
    read -r wall cpu rss <<<"$(one "$program" with)"
    read -r count good <<<"$(dumps "$program")"
    plain=passed with=same
    [ "$(tail -n 1 "$work/$program.plain.out")" = 'exit 0' ] || plain=failed
    cmp -s "$work/$program.plain.out" "$work/$program.with.out" || with=DIFFERENT
    { [ $with = same ] && [ "$count" = "$good" ]; } || failed=1
    # Chromium's malloc is in its executable: what reaches ours is now and then too little for a dump.
    [ "$count" -gt 0 ] || [ "$program" = chromium ] || failed=1
    printf '%-12s %-8s %-10s %12s %8s %8s %8s\n' "$program" $plain $with "$good of $count" \
        "$(ratio "$wall" "$plain_wall")" "$(ratio "$cpu" "$plain_cpu")" "$(ratio "$rss" "$plain_rss")"
done
echo "left in $work"
exit $failed
