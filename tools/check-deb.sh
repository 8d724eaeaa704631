#!/bin/sh
# check-deb.sh: installs the packages of dist/ into a clean Debian and uses them there; root only.
#
#   sh tools/check-deb.sh [FOLDER]      a Debian bookworm that debootstrap made; made when missing
#
# Environment: MIRROR, where the packages come from that ours depend on; BUILD; IMGRET_TEST_DATA, whose
# weights the torch package runs where they are.
set -eu
cd "$(dirname "$0")/.."
mirror=${MIRROR:-http://deb.debian.org/debian}
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "check-deb: skipped: needs root and debootstrap"
    exit 0
fi
made=
root=${1:-}
if [ -z "$root" ]; then
    root=$(mktemp -d)
    made=$root
fi
# What is mounted is unmounted before anything is removed.
trap '[ -z "$made" ] || rm -rf --one-file-system "$made"' EXIT
[ -x "$root/usr/bin/apt-get" ] || debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail "$root.log" >&2; exit 1; }
mkdir -p "$root/packages"
cp dist/*.deb "$root/packages/"
cp tests/abi/consumer.c "$root/packages/"
rm -rf "$root/packages/pictures"
"${BUILD:-build}/examples/draw_pictures" "$root/packages/pictures" 16 7
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

# Only what a user of the command needs, then what a programmer needs.
in_root apt-get -q update >/dev/null
in_root sh -ec 'apt-get -q -y --no-install-recommends install /packages/libimgret0_*.deb /packages/imgret_*.deb \
    /packages/python3-imgret_*.deb' >/dev/null
in_root sh -ec '
    cd /packages
    imgret --version
    rm -rf t.imgret
    imgret add t.imgret pictures --quiet
    imgret search t.imgret pictures/forest/forest-000.* | head -n 1 | grep forest-000
    imgret check t.imgret
    dpkg -S "$(ls /usr/lib/*/imgret/imgret-decode)" | grep "^libimgret0:"
    rm -rf apart.imgret
    imgret add apart.imgret pictures --isolate --quiet
    imgret count apart.imgret
    python3 -c "
import imgret
with imgret.open(\"t.imgret\") as db:
    assert db.stats().image_count == 16
    print(\"python: 16 pictures\")"'
in_root sh -ec 'apt-get -q -y --no-install-recommends install /packages/libimgret-dev_*.deb gcc libc6-dev pkg-config' >/dev/null
in_root sh -ec '
    cd /packages
    cc consumer.c -o consumer $(pkg-config --cflags --libs imgret)
    rm -rf c.imgret d.imgret
    ./consumer c.imgret
    cc consumer.c -o static $(pkg-config --cflags imgret) -Wl,-Bstatic -limgret -Wl,-Bdynamic \
        $(pkg-config --static --libs imgret | sed "s/-limgret//")
    ./static d.imgret'
if ls dist/libimgret-torch_*.deb >/dev/null 2>&1 && [ "${WITH_TORCH:-1}" != 0 ]; then
    in_root sh -ec 'apt-get -q -y --no-install-recommends install /packages/libimgret-torch_*.deb' >/dev/null
    in_root sh -ec 'cd /packages; echo no weights > x.safetensors
        imgret model inspect x.safetensors 2>&1 | grep -i torch || { imgret model inspect x.safetensors; exit 1; }'
    weights=${IMGRET_TEST_DATA:-}/weights/vit_tiny_patch16_224.fp16.safetensors
    if [ -f "$weights" ]; then
        cp "$weights" "$root/packages/weights.safetensors"
        in_root sh -ec '
            cd /packages
            imgret model inspect weights.safetensors | head -n 3
            rm -rf v.imgret
            imgret add v.imgret pictures --model weights.safetensors --quiet
            imgret search v.imgret pictures/forest/forest-000.* | head -n 1 | grep forest-000'
        echo "check-deb: libimgret-torch extracted with vit_tiny"
    else
        echo "check-deb: skipped: no weights, libimgret-torch loaded but ran no model"
    fi
fi
in_root sh -ec 'apt-get -q -y purge imgret libimgret-dev libimgret0 "python3-imgret"' >/dev/null
[ -z "$(find "$root/usr" -path "$root/usr/share/doc" -prune -o -name '*imgret*' -print)" ] ||
    { echo "check-deb: purge left: $(find "$root/usr" -name '*imgret*')" >&2; exit 1; }
echo "check-deb: installed, ran, built against and purged in a clean Debian"
