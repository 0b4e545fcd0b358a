#!/bin/sh
# Builds the image octo-dev:latest, in which a workshop's sessions run: what `make workshop` runs.
#
#   build-workshop.sh             programs, context, image
#   build-workshop.sh --context   only what container/Dockerfile copies, for an engine of one's own
#
# ARCH is the processor that it is for: x86_64 or aarch64, by default this machine's. BASE is the Debian image to start
# from; by default one is made out of the package archive, so that no registry is needed. IMAGE is the result's name. It
# goes into the store of podman or docker (CONTAINER_ENGINE names one) as the user has it.
set -eu

cd "$(dirname "$0")/.."
umask 022

arch=${ARCH:-$(uname -m)}
image=${IMAGE:-octo-dev:latest}
case $arch in
x86_64) platform=linux/amd64 ;;
aarch64) platform=linux/arm64 ;;
*)
    echo "ARCH=$arch: it must be x86_64 or aarch64" >&2
    exit 2
    ;;
esac
MAKE_TARGET=${MAKE_TARGET:-workshop}
export MAKE_TARGET

# WORKSHOP_PROGRAMS names a directory in which they are ready.
programs=${WORKSHOP_PROGRAMS:-.cache/workshop/$arch}
[ -n "${WORKSHOP_PROGRAMS:-}" ] || toolchain/workshop-programs.sh all

# One that runs here: the image's own, unless that is for another processor.
octofw=${OCTOFW:-}
if [ -z "$octofw" ] && [ "$arch" = "$(uname -m)" ]; then
    octofw=$programs/octofw
elif [ -z "$octofw" ]; then
    cargo build --quiet --locked --profile tool --package octofw
    octofw=${CARGO_TARGET_DIR:-target}/tool/octofw
fi

place=.cache/workshop/root
share=$place/usr/local/share/octo
rm -rf $place
mkdir -p $place/usr/local/bin $share/base $share/licences
for program in octofw octo-init octo-files octo-terminal; do
    cp "$programs/$program" $place/usr/local/bin/
done
cp -R container/skeleton $share/skeleton
cp LICENSE-APACHE LICENSE-MIT NOTICE $share/licences/
for library in xterm addon-fit; do
    cp crates/octo-session/src/terminal/page/$library-LICENSE $share/licences/
done
for package in octo-session-musl octofw-gnu; do
    "$octofw" licences texts --package "${package%-*}" --target "$arch-unknown-linux-${package##*-}" \
        --out "$share/licences/${package%-*}.txt" >/dev/null
done
mkdir -p .cache/standin
"$octofw" standin --size mini ${OFFLINE:+--offline} --out $share/base/stand-in.bin
SOURCE_DATE_EPOCH=$(toolchain/source-date.sh)
export SOURCE_DATE_EPOCH
find $place -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
[ "${1:-}" != --context ] || exit 0

toolchain/install.sh "$MAKE_TARGET" container
engine=${CONTAINER_ENGINE:-podman}
[ -n "${CONTAINER_ENGINE:-}" ] || command -v podman >/dev/null 2>&1 || engine=docker
export engine
base=${BASE:-}
if [ -z "$base" ]; then
    if [ "$arch" != "$(uname -m)" ]; then
        echo "ARCH=$arch: the Debian that is made here is for $(uname -m); name one for $arch by BASE=IMAGE" >&2
        exit 1
    fi
    toolchain/install.sh "$MAKE_TARGET" cross
    toolchain/container-base.sh
    base=localhost/octobridge/debian:bookworm
fi

# The package archive is reached through the host's network, which works without a bridge.
set -- --file container/Dockerfile --tag "$image" --platform $platform --network=host --build-arg "BASE=$base"
[ -z "${NO_CACHE:-}" ] || set -- "$@" --no-cache
"$engine" build "$@" . >.cache/workshop/build.log 2>&1 || {
    tail -n 20 .cache/workshop/build.log >&2
    echo "the image could not be built; the whole output is in .cache/workshop/build.log" >&2
    [ "$arch" = "$(uname -m)" ] ||
        echo "programs for $arch must run here: that takes qemu-user-static and binfmt-support" >&2
    exit 1
}
size=$("$engine" image inspect --format '{{.Size}}' "$image")
echo "built $image (for $platform, $((size / 1000000)) MB) with $engine"
