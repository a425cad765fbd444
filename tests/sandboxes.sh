#!/usr/bin/env bash
# Servers that put themselves, or their sessions, into a seccomp sandbox, each with every option that
# gives us a thread, a handler or a dump: they have to do what they do without us. As root, with what
# Debian packages as openssh-server, openssh-client, chrony, vsftpd and tor; who is not installed
# is named and passed over.
#
#   tests/sandboxes.sh [sessions=20] [only=sshd|vsftpd|chronyd|tor] [port=54330]
#
# The library and the companion are those of target/release.
set -euo pipefail
cd "$(dirname "$0")/.."

sessions=20 only= port=54330
for argument in "$@"; do
    case $argument in
        sessions=* | only=* | port=*) declare "$argument" ;;
        *) sed -n '2,9s/^# \?//p' "$0"; exit 2 ;;
    esac
done
release=$PWD/target/release
[ -e "$release/libmalloscope.so" ] && [ -e "$release/malloscope" ] || { echo "build both first" >&2; exit 2; }

work=$(mktemp -d)
server=
finish() { [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT
mkdir "$work/dumps" "$work/data"
chmod 755 "$work" "$work/data"

options='
prof_final:true
prof_timer:1
prof_control:true
prof_memory_limit:90
lg_prof_interval:20,lg_prof_sample:14
prof_final:true,prof_timer:1,prof_final_signal:true,lg_prof_sample:14
'

# start CONFIGURATION COMMAND...: `plain` and `run` are the program alone, and below the companion.
start() {
    local configuration=$1
    shift
    case $configuration in
        plain) "$@" >"$work/log" 2>&1 & ;;
        run) "$release/malloscope" run -o "$work/dumps" -- "$@" >"$work/log" 2>&1 & ;;
        *)
            env LD_PRELOAD="$release/libmalloscope.so" \
                MALLOSCOPE_CONF="prof:true,$configuration,prof_prefix:$work/dumps/d" "$@" >"$work/log" 2>&1 &
            ;;
    esac
    server=$!
    sleep 2
}

# Asks the server to end: its status, in `ended`.
stop() {
    ended=0
    kill -TERM "$server" 2>/dev/null || true
    for _ in $(seq 50); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || ended=$?
    server=
}

sessions_of() {
    local failed=0
    for _ in $(seq "$sessions"); do
        "$1" >/dev/null 2>&1 || failed=$((failed + 1))
    done
    echo "$failed of $sessions sessions failed"
}

prepare_sshd() {
    ssh-keygen -qt ed25519 -N '' -f "$work/host"
    ssh-keygen -qt ed25519 -N '' -f "$work/client"
    mkdir -p /run/sshd
}
start_sshd() {
    start "$1" /usr/sbin/sshd -D -e -p "$port" -o ListenAddress=127.0.0.1 -h "$work/host" -o PidFile=none \
        -o AuthorizedKeysFile="$work/client.pub" -o StrictModes=no -f /dev/null
}
login() {
    timeout 20 ssh -q -p "$port" -i "$work/client" -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null root@127.0.0.1 true </dev/null
}
use_sshd() { sessions_of login; }

prepare_vsftpd() {
    mkdir -p /var/run/vsftpd/empty "$work/data/files"
    cat >"$work/vsftpd.conf" <<END
listen=YES
listen_address=127.0.0.1
listen_port=$port
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root=$work/data/files
secure_chroot_dir=/var/run/vsftpd/empty
seccomp_sandbox=YES
END
}
start_vsftpd() { start "$1" /usr/sbin/vsftpd "$work/vsftpd.conf"; }
# converse WORDS...: says each line, reads its answer; the last one is in `answer`.
converse() {
    local words
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    for words; do
        [ -z "$words" ] || printf '%s\r\n' "$words" >&3
        while read -r -t 5 answer <&3 && [[ ! $answer =~ ^[0-9]{3}\  ]]; do :; done
    done
    exec 3>&-
}
# Not a file: the filter of Debian 12's vsftpd does not know what its glibc does for one, also without us.
talk() { converse '' 'USER anonymous' 'CWD /' STAT PWD PASV QUIT && [[ $answer == 221* ]]; }
use_vsftpd() { sessions_of talk; }

prepare_chronyd() {
    printf 'port 0\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\nserver 127.0.0.1 iburst\n' "$work" >"$work/chrony.conf"
}
# The sandbox that kills; without control of the clock.
start_chronyd() { start "$1" /usr/sbin/chronyd -d -x -F 1 -u root -f "$work/chrony.conf"; }
use_chronyd() { sleep 3; kill -0 "$server" && echo runs; }

prepare_tor() {
    cat >"$work/torrc" <<END
Sandbox 1
DataDirectory $work/data/tor
SocksPort 0
DisableNetwork 1
ControlPort 127.0.0.1:$port
CookieAuthentication 0
END
}
start_tor() { start "$1" /usr/bin/tor --defaults-torrc /dev/null -f "$work/torrc" --ignore-missing-torrc; }
ask() { converse AUTHENTICATE 'GETINFO version' 'GETINFO config-text' QUIT && [[ $answer == 250* ]]; }
# In its sandbox it obeys SIGTERM or does not, as it comes.
use_tor() { sessions_of ask; converse AUTHENTICATE 'SIGNAL HALT' >/dev/null 2>&1 || true; sleep 1; }

worst=0
for program in sshd vsftpd chronyd tor; do
    [ -z "$only" ] || [ "$only" = "$program" ] || continue
    if [ ! -x "/usr/sbin/$program" ] && [ ! -x "/usr/bin/$program" ]; then
        echo "$program: not installed, not run"
        continue
    fi
    "prepare_$program"
    expected=
    for configuration in plain $options run; do
        rm -f "$work/dumps"/*
        "start_$program" "$configuration"
        seen=$("use_$program" 2>/dev/null || echo "is gone")
        stop
        seen="$seen; ends with $ended"
        expected=${expected:-$seen}
        verdict=ok
        [ "$seen" = "$expected" ] || verdict=DIFFERS worst=1
        killed=$(grep -cE 'signal 31|SIGSYS|bad syscall' "$work/log" || true)
        [ "$killed" = 0 ] || verdict=KILLED worst=1
        echo "$program $configuration: $seen; $(find "$work/dumps" -type f | wc -l) dumps; $verdict"
        [ "$verdict" = ok ] || tail -5 "$work/log"
    done
done
exit "$worst"
