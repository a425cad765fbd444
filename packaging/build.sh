#!/usr/bin/env bash
# The programs that all packages hold, in target/packages/bin:
#
#   malloscope          for glibc 2.17 and later, by cargo-zigbuild (pip install cargo-zigbuild ziglang)
#   malloscope-static   without any libc of its own place, for an init container
#
#   packaging/build.sh [malloscope] [static]      both
#
# Zig's linker cannot lay the library out as preload/layout.ld wants, and it need not: the library asks for no
# symbol younger than glibc 2.17 by whatever linker. So it is built first, and carried by both.
set -euo pipefail
cd "$(dirname "$0")/.."
triple=x86_64-unknown-linux-gnu
target=${CARGO_TARGET_DIR:-$PWD/target}
bin=$target/packages/bin
mkdir -p "$bin"

cargo build --locked --profile dist -p preload --target-dir "$target/packages/preload"
export MALLOSCOPE_EMBED=$target/packages/preload/dist/libmalloscope.so
common=(--locked --profile dist -p jeprof-compat --bin malloscope)
for what in "${@:-malloscope static}"; do
    for one in $what; do
        case $one in
            malloscope)
                cargo zigbuild "${common[@]}" --target $triple.2.17 --target-dir "$target/packages/zig"
                cp "$target/packages/zig/$triple/dist/malloscope" "$bin/malloscope"
                ;;
            static)
                RUSTFLAGS='-C target-feature=+crt-static' cargo build "${common[@]}" --target $triple \
                    --target-dir "$target/packages/static"
                cp "$target/packages/static/$triple/dist/malloscope" "$bin/malloscope-static"
                ;;
        esac
    done
done
ls -l "$bin"
