#!/usr/bin/env bash
# Installs each package of target/packages into a clean place, and runs a program of its ecosystem under it, with the
# command that a user would type. Nothing of this repository is in reach of them but the package.
#
#   packaging/test.sh [wheel] [npm] [gem] [deb] [tarball] [jar] [oci]      all
#
# Needs of each: python3 with venv, and PyPI for uvx; npm and node; gem and ruby; mmdebstrap, as root; cc; java; for the
# last what containers.sh says.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${CARGO_TARGET_DIR:-$here/../target}/packages
out=$(cd "$out" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -1)
unset MALLOSCOPE MALLOSCOPE_LIB MALLOSCOPE_CONF LD_PRELOAD
work=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# Runs a command in a new directory with a home of its own. What it says goes to the file `said` there.
clean() {
    local name=$1
    shift
    mkdir -p "$work/$name/home"
    cd "$work/$name"
    HOME=$PWD/home XDG_CACHE_HOME=$PWD/home/.cache "$@" >said 2>&1 || { cat said >&2; fail "$name: $*"; }
}

# The run before left dumps, a page, and these words.
left() {
    local word
    [ -s d/report.html ] || { cat said >&2; fail "$PWD: no page"; }
    for word in "$@"; do grep -q -- "$word" said || { cat said >&2; fail "$PWD: no \"$word\""; }; done
}

exits_with_7() {
    local code=0
    "$@" run -o seven -- sh -c 'exit 7' >/dev/null 2>&1 || code=$?
    [ "$code" = 7 ] || fail "$*: exit code $code"
}

wheel() {
    local file
    file=$(echo "$out"/malloscope-"$version"-*.whl)
    clean wheel python3 -m venv venv
    clean wheel venv/bin/pip install --no-index "$file"
    clean wheel venv/bin/malloscope run -o d --rate 4k -- venv/bin/python -c \
        'kept = [bytes(20_000) for _ in range(2_000)]'
    left 'python' 'listcomp\|<module>'
    clean wheel venv/bin/python -m malloscope --version
    clean wheel venv/bin/jeprof-compat --version
    exits_with_7 venv/bin/malloscope
    clean wheel venv/bin/pip install uv
    clean wheel venv/bin/uvx --from "$file" malloscope --version
}

npm() {
    clean npm command npm init --yes
    clean npm command npm install --offline --no-audit --no-fund \
        "$out/malloscope-linux-x64-gnu-$version.tgz" "$out/malloscope-$version.tgz"
    clean npm npx --offline malloscope run -o d --rate 4k -- node -e \
        'globalThis.kept = Array.from({length: 2000}, () => Buffer.alloc(20000, 1))'
    left 'node'
    clean npm npx --offline jeprof-compat --version
    exits_with_7 npx --offline malloscope
}

gem() {
    clean gem command gem install --local --no-document --install-dir gems --bindir bin \
        "$out/malloscope-$version-x86_64-linux.gem"
    export GEM_HOME=$work/gem/gems
    clean gem bin/malloscope run -o d --rate 4k -- ruby -e '$kept = Array.new(2000) { "x" * 20_000 }'
    left 'ruby'
    clean gem bin/jeprof-compat --version
    exits_with_7 bin/malloscope
    unset GEM_HOME
}

deb() {
    local root=$work/deb/root
    clean deb mmdebstrap --variant=apt --include=gcc,libc6-dev bookworm "$root"
    cp "$out/malloscope_${version}_amd64.deb" "$root/tmp/"
    cp "$here/../examples/verdicts/shapes.c" "$root/tmp/"
    clean deb chroot "$root" apt-get install --yes "/tmp/malloscope_${version}_amd64.deb"
    mount -t proc proc "$root/proc"
    mounted=$root/proc
    clean deb chroot "$root" sh -c 'cd /tmp; cc -g -O2 -o shapes shapes.c &&
        malloscope run -o d --every 1s --rate 8k -- ./shapes leak 5'
    umount "$mounted"
    mounted=
    cp -r "$root/tmp/d" .
    left 'log_error'
    clean deb chroot "$root" jeprof-compat --version
}

tarball() {
    clean tarball tar -xJf "$out/malloscope-$version-x86_64-linux.tar.xz"
    clean tarball "./malloscope-$version-x86_64-linux/install.sh" "$work/tarball/prefix"
    clean tarball cc -g -O2 -o shapes "$here/../examples/verdicts/shapes.c"
    clean tarball prefix/bin/malloscope run -o d --every 1s --rate 8k -- ./shapes leak 5
    left 'Yes, it leaks' 'log_error'
    clean tarball prefix/bin/jeprof-compat --version
    exits_with_7 prefix/bin/malloscope
}

jar() {
    mkdir -p "$work/jar"
    cat >"$work/jar/Keeps.java" <<'JAVA'
public class Keeps {
    static java.util.List<java.util.zip.Deflater> kept = new java.util.ArrayList<>();
    public static void main(String[] none) {
        for (int i = 0; i < 100; i++) kept.add(new java.util.zip.Deflater());
    }
}
JAVA
    clean jar javac Keeps.java
    clean jar java -jar "$out/malloscope-$version.jar" run -o d --rate 4k -- java Keeps
    left 'java'
    # What such a short run is told about may be the start of the JVM.
    clean jar java -jar "$out/malloscope-$version.jar" table --cum --focus Keeps d
    grep -q 'Keeps.main' said || { cat said >&2; fail "jar: no Keeps.main"; }
    exits_with_7 java -jar "$out/malloscope-$version.jar"
}

# The image, in what plays a pod; and a Dockerfile.
oci() { "$here/containers.sh"; }

for what in "${@:-wheel npm gem deb tarball jar oci}"; do
    for one in $what; do
        "$one"
        echo "$one: ok"
    done
done
