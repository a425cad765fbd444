#!/usr/bin/env bash
# Packages of the programs that packaging/build.sh made, into target/packages. Each holds the one file and what
# its ecosystem needs to start it. The version is that of Cargo.toml.
#
#   packaging/pack.sh [wheel] [npm] [gem] [deb] [tarball] [jar] [oci]      all
#
# Needs of each: python3; npm; gem; dpkg-deb; tar; javac and jar; umoci.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${CARGO_TARGET_DIR:-$here/../target}/packages
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -1)
about='Finds what a running program allocates and does not give back'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
out=$(cd "$out" && pwd)
program=$out/bin/malloscope
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}

# A directory with the program under both names, its manuals and completions, and the licences.
tree() {
    mkdir -p "$1/bin" "$1/share/doc/malloscope"
    install -m 755 "$program" "$1/bin/malloscope"
    ln -s malloscope "$1/bin/jeprof-compat"
    cp "$here"/../LICENSE-* "$here/../README.md" "$1/share/doc/malloscope/"
    local manuals=$here/../jeprof-compat/manuals name
    mkdir -p "$1"/share/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
    for name in "$manuals"/*.1; do gzip -9nc "$name" >"$1/share/man/man1/${name##*/}.gz"; done
    for name in malloscope jeprof-compat; do
        cp "$manuals/$name.bash" "$1/share/bash-completion/completions/$name"
        cp "$manuals/$name.zsh" "$1/share/zsh/site-functions/_$name"
        cp "$manuals/$name.fish" "$1/share/fish/vendor_completions.d/"
    done
}

wheel() { python3 "$here/wheel.py" "$program" "$version" "$out"; }

npm() {
    cp -r "$here/npm" "$work/npm"
    mkdir -p "$work/npm/platform/bin"
    install -m 755 "$program" "$work/npm/platform/bin/malloscope"
    sed -i "s/@VERSION@/$version/g" "$work"/npm/*/package.json
    for package in platform main; do (cd "$work/npm/$package" && command npm pack --silent --pack-destination "$out"); done
}

gem() {
    cp -r "$here/gem" "$work/gem"
    mkdir -p "$work/gem/libexec"
    install -m 755 "$program" "$work/gem/libexec/malloscope"
    (cd "$work/gem" && MALLOSCOPE_VERSION=$version command gem build --silent malloscope.gemspec --output \
        "$out/malloscope-$version-x86_64-linux.gem")
}

deb() {
    local root=$work/deb
    tree "$root/usr"
    mkdir -p "$root/DEBIAN"
    cat >"$root/DEBIAN/control" <<CONTROL
Package: malloscope
Version: $version
Architecture: amd64
Maintainer: The malloscope developers <malloscope@localhost>
Depends: libc6 (>= 2.17)
Section: devel
Priority: optional
Installed-Size: $(du -ks "$root/usr" | cut -f1)
Description: $about
 A sampling heap profiler for programs that run already: one library is
 preloaded, and a page says whether the program leaks, and where.
CONTROL
    dpkg-deb --root-owner-group -Zxz --build "$root" "$out/malloscope_${version}_amd64.deb" >/dev/null
}

tarball() {
    local name=malloscope-$version-x86_64-linux
    tree "$work/$name"
    install -m 755 "$here/install.sh" "$work/$name/install.sh"
    tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cJf "$out/$name.tar.xz" "$name"
}

jar() {
    mkdir -p "$work/jar/classes/native"
    cp "$program" "$work/jar/classes/native/malloscope"
    javac --release 11 -d "$work/jar/classes" "$here/Malloscope.java"
    printf 'Main-Class: Malloscope\nImplementation-Version: %s\n' "$version" >"$work/jar/manifest"
    command jar --create --file "$out/malloscope-$version.jar" --manifest "$work/jar/manifest" -C "$work/jar/classes" .
}

# An image that holds nothing but the static program: `unpack DIR` is what an init container does.
oci() {
    local layout=$work/layout image
    image=$layout:$version
    umoci init --layout "$layout"
    umoci new --image "$image"
    umoci unpack --rootless --image "$image" "$work/oci"
    # Not /malloscope: there a pod mounts the volume of the library.
    install -D -m 755 "$out/bin/malloscope-static" "$work/oci/rootfs/bin/malloscope"
    umoci repack --image "$image" "$work/oci"
    umoci config --image "$image" --config.entrypoint /bin/malloscope --config.cmd --help
    umoci gc --layout "$layout"
    tar -C "$layout" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$out/malloscope-$version-oci.tar" .
}

for what in "${@:-wheel npm gem deb tarball jar oci}"; do
    for one in $what; do "$one" >/dev/null; done
done
(cd "$out" && find . -maxdepth 1 -type f -printf '%10s  %f\n' | sort -k2)
