#!/bin/sh
# check-docker.sh: builds the image of packaging/Dockerfile and takes pictures in with it.
#
#   sh tools/check-docker.sh [ROOT.tar]     a Debian bookworm to begin with; made when missing
#
# Needs no engine and no registry, but root, buildah and debootstrap: buildah reads the Dockerfile as
# docker does, debootstrap makes what it calls debian:bookworm-slim. Environment: MIRROR, WITH_TORCH.
set -eu
cd "$(dirname "$0")/.."
for tool in buildah debootstrap; do
    if [ "$(id -u)" != 0 ] || ! command -v $tool >/dev/null; then
        echo "check-docker: skipped: needs root, buildah and debootstrap"
        exit 0
    fi
done
work=$(mktemp -d)
images() { buildah --storage-driver vfs --root "$work/images" --runroot "$work/run" "$@"; }
cleanup() {
    images rm --all >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
export BUILDAH_ISOLATION=chroot

base=${1:-$work/base.tar}
if [ ! -f "$base" ]; then
    debootstrap --variant=minbase bookworm "$work/debian" "${MIRROR:-http://deb.debian.org/debian}" \
        >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
    rm -rf "$work"/debian/var/cache/apt/archives/*.deb
    tar -C "$work/debian" -cf "$base" .
    rm -rf --one-file-system "$work/debian"
fi
debian=$(images from scratch)
images add "$debian" "$base" / >/dev/null
images commit --quiet "$debian" docker.io/library/debian:bookworm-slim >/dev/null
images rm "$debian" >/dev/null

images bud --pull-never --build-arg WITH_TORCH="${WITH_TORCH:-0}" -f packaging/Dockerfile -t imgret . \
    >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }

image=$(images from --pull-never localhost/imgret)
[ "$(images inspect --format '{{index .OCIv1.Config.Entrypoint 0}}' "$image")" = imgret ] ||
    { echo "check-docker: the image does not start imgret" >&2; exit 1; }
mkdir "$work/db"
"${BUILD:-build}/examples/draw_pictures" "$work/pictures" 16 7
in_image() {
    images run --volume "$work/pictures:/pictures:ro" --volume "$work/db:/db" "$image" imgret "$@"
}
in_image --version
in_image add /db/photos.imgret /pictures --isolate --quiet
in_image search /db/photos.imgret "/pictures/$(cd "$work/pictures" && ls forest/forest-000.*)" --isolate |
    head -n 1 | grep -F forest-000
in_image check /db/photos.imgret
if [ "${WITH_TORCH:-0}" != 0 ]; then
    echo no weights >"$work/db/x.safetensors"
    in_image model inspect /db/x.safetensors 2>&1 | grep -i safetensors
fi
size=$(du -sm "$(images mount "$image")" | cut -f1)
echo "check-docker: built, took pictures in and found one; the image has $size MB"
