#!/bin/sh
# Copies malloscope into PREFIX (/usr/local).
set -eu
prefix=${1:-/usr/local}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$prefix/bin" "$prefix/share"
cp "$here/bin/malloscope" "$prefix/bin/.malloscope.new"
# Renamed, so that one that runs goes on.
mv -f "$prefix/bin/.malloscope.new" "$prefix/bin/malloscope"
ln -sf malloscope "$prefix/bin/jeprof-compat"
cp -R "$here/share/." "$prefix/share/"
echo "$prefix/bin/malloscope"
