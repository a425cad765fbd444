#!/usr/bin/env bash
# Does what the manifests of `malloscope env` say, without an engine: the image's only layer is the root of an init
# container, and a program with its libraries that of an app container. Volumes are bounded file systems, users
# are no root, and nothing of this machine is in reach but the kernel.
#
#   packaging/containers.sh [image] [pod] [dockerfile]      all
#
# After packaging/build.sh and `packaging/pack.sh oci`; as root. Needs umoci, skopeo, cc, python3; buildah for the last.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${CARGO_TARGET_DIR:-$here/../target}/packages" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -1)
malloscope=$out/bin/malloscope
unset MALLOSCOPE MALLOSCOPE_LIB MALLOSCOPE_CONF LD_PRELOAD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Whoever the pod runs as.
user=1000
cd "$work"
mkdir layout
tar -C layout -xf "$out/malloscope-$version-oci.tar"
image=$work/layout:$version

fail() { echo "FAILED: $*" >&2; exit 1; }

# A root with nothing but a leaking program, a shell that is a probe, and the libraries of both.
app_root() {
    mkdir -p "$1"/{malloscope,proc,dev,tmp,var/lib/malloscope,usr/local/lib}
    cc -g -O2 -o "$1/shapes" "$here/../examples/verdicts/shapes.c"
    local name file
    for name in sh env mkdir chmod cat; do install -D "$(readlink -f "$(command -v "$name")")" "$1/bin/$name"; done
    for file in "$1"/shapes "$1"/bin/*; do ldd "$file"; done | grep -o '/[^ ]*' | sort -u | while read -r file; do
        [ -e "$1$file" ] || install -D "$(readlink -f "$file")" "$1$file"
    done
}

# The tools of others read the image, and can make Docker's form of it: every digest is right.
image() {
    skopeo inspect --raw "oci:$image" >raw.json
    skopeo inspect --config "oci:$image" >config.json
    python3 - <<'PYTHON'
import json
raw, config = json.load(open("raw.json")), json.load(open("config.json"))
assert raw["schemaVersion"] == 2 and len(raw["layers"]) == 1, raw
assert raw["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip", raw
assert (config["os"], config["architecture"]) == ("linux", "amd64"), config
assert config["config"]["Entrypoint"] == ["/bin/malloscope"], config
assert len(config["rootfs"]["diff_ids"]) == 1, config
print(f"image: one layer of {raw['layers'][0]['size']:,} bytes")
PYTHON
    skopeo copy --quiet --insecure-policy "oci:$image" docker-archive:docker.tar
}

# The variables of the app container as NAME=VALUE lines, as Kubernetes expands them; and its command.
manifest() {
    python3 - "$1" "$2" <<'PYTHON'
import json, re, sys
text, what = open(sys.argv[1]).read(), sys.argv[2]
word = lambda value: json.loads(value) if value.startswith('"') else value
if what == "env":
    pairs = {"MALLOSCOPE_POD": "web-1"}
    for name, value in re.findall(r"- name: (\w+)\n +value: (.*)", text):
        pairs[name] = re.sub(r"\$\((\w+)\)", lambda m: pairs[m[1]], word(value))
    print("\n".join(f"{name}={value}" for name, value in pairs.items()))
else:
    print("\n".join(json.loads(re.search(rf" {what}: (\[.*\])", text)[1])))
PYTHON
}

# An init container, then the app container, in a mount and process namespace that ends with them. $1 is how big
# the volume of the dumps may be; the dumps are copied out, as `kubectl cp` would.
pod() {
    rm -rf bundle app dumps
    umoci unpack --image "$image" bundle
    mkdir -p bundle/rootfs/malloscope dumps
    app_root app
    "$malloscope" env k8s --every 1s --rate 8k --only shapes -- /shapes leak 4 >patch.yaml
    manifest patch.yaml env >env
    manifest patch.yaml args >init.args
    manifest patch.yaml command >app.args
    pod_of 1g whole
    [ "$(find dumps -name 'web-1.*.heap' | wc -l)" -ge 3 ] || fail "pod: dumps: $(ls dumps)"
    [ -z "$(grep -L '^# command /shapes' dumps/*.heap)" ] || fail "pod: a dump of the probe"
    "$malloscope" report --sysroot app dumps -o report.html 2>said
    ! grep 'without names' said || fail "pod: names are missing"
    "$malloscope" suspects --sysroot app dumps >answer
    grep -q 'Yes, it leaks' answer && grep -q 'log_error.*shapes.c:47' answer || { cat answer; fail "pod: no culprit"; }
    grep -q 'log_error' report.html || fail "pod: no page"
    head -2 answer
    # A volume that is full costs dumps, and nothing else.
    rm -rf dumps
    mkdir dumps
    pod_of 16k full
    cmp whole full || fail "pod: the program said something else"
}

pod_of() {
    unshare --mount --pid --fork --propagation private bash -euc '
        size=$1 user=$2
        for volume in library dumps; do mkdir -p $volume.volume; done
        mount -t tmpfs -o size=16m,mode=1777 library library.volume
        mount -t tmpfs -o size=$size,mode=1777 dumps dumps.volume
        mount --bind library.volume bundle/rootfs/malloscope
        chroot --userspec=$user:$user bundle/rootfs /bin/malloscope $(cat init.args) >/dev/null
        mount --bind library.volume app/malloscope
        mount -o remount,bind,ro app/malloscope
        mount --bind dumps.volume app/var/lib/malloscope
        mount -t proc proc app/proc
        touch app/dev/null
        mount --bind /dev/null app/dev/null
        mapfile -t env <env
        mapfile -t command <app.args
        start() { chroot --userspec=$user:$user app /bin/env -i "${env[@]}" "$@"; }
        # A probe has nothing to do with it.
        start /bin/sh -c "/bin/cat /proc/self/cmdline >/dev/null && echo alive"
        start "${command[@]}" | sed "s/=.*//"
        cp dumps.volume/* dumps/ 2>/dev/null || true
    ' pod "$1" "$user" >"$2"
}

# What goes to the end of a Dockerfile, built and run by buildah.
dockerfile() {
    rm -rf context dumps
    mkdir -p context dumps
    chmod 1777 dumps
    app_root context/app
    "$malloscope" unpack context >/dev/null
    {
        printf 'FROM scratch\nCOPY app /\n'
        "$malloscope" env docker --every 1s --rate 8k --only shapes -- /shapes leak 4
    } >context/Dockerfile
    export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
    local storage=(--root "$work/storage" --runroot "$work/run") container
    buildah "${storage[@]}" bud --quiet --tag app context >/dev/null
    container=$(buildah "${storage[@]}" from --pull-never app)
    buildah "${storage[@]}" inspect --format '{{.OCIv1.Config.Cmd}}' "$container" | grep -q 'shapes leak 4' || fail "dockerfile: no CMD"
    buildah "${storage[@]}" run --volume "$PWD/dumps:/var/lib/malloscope" --user $user "$container" -- /shapes leak 4
    "$malloscope" suspects --sysroot context/app dumps >answer
    grep -q 'log_error.*shapes.c:47' answer || { cat answer; fail "dockerfile: no culprit"; }
    head -2 answer
    buildah "${storage[@]}" rm "$container" >/dev/null
}

for what in "${@:-image pod dockerfile}"; do
    for one in $what; do
        "$one"
        echo "$one: ok"
    done
done
