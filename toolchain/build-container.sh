#!/bin/sh
# Builds the container image printer-bridge:latest: what `make container` runs.
#
# ARCH is the processor that it is for: x86_64 or aarch64, by default this machine's. The image goes into the store of
# podman or docker (CONTAINER_ENGINE names one) as the user has it. Podman makes the same layer of the same program at the
# same commit, whoever builds.
set -eu

cd "$(dirname "$0")/.."
umask 022

image=printer-bridge:latest
arch=${ARCH:-$(uname -m)}
triple=$arch-unknown-linux-musl
case $arch in
x86_64) platform=linux/amd64 ;;
aarch64) platform=linux/arm64 ;;
*)
    echo "ARCH=$arch: it must be x86_64 or aarch64" >&2
    exit 2
    ;;
esac

MAKE_TARGET=${MAKE_TARGET:-container}
export MAKE_TARGET
toolchain/install.sh "$MAKE_TARGET" container "rust-target:$triple"
engine=${CONTAINER_ENGINE:-podman}
[ -n "${CONTAINER_ENGINE:-}" ] || command -v podman >/dev/null 2>&1 || engine=docker

CROSS=native pre-scripts/01-build-program.sh "$triple"
octofw=${OCTOFW:-${CARGO_TARGET_DIR:-target}/tool/octofw}

# What is copied into the image: root/ belongs to root there, state/ to the user that the program runs as.
place=.cache/container
rm -rf $place
mkdir -p $place/root/usr/local/bin $place/root/usr/local/share/octobridge/licences $place/state
mkdir -m 700 $place/state/data
cp ".cache/program/$triple/octobridge" $place/root/usr/local/bin/
cp LICENSE-APACHE LICENSE-MIT NOTICE $place/root/usr/local/share/octobridge/licences/
"$octofw" licences texts --package octobridge --target "$triple" \
    --out $place/root/usr/local/share/octobridge/licences/crates.txt >/dev/null
SOURCE_DATE_EPOCH=$(toolchain/source-date.sh)
export SOURCE_DATE_EPOCH
find $place -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
set -- --quiet --platform $platform --build-arg "VERSION=$version" --tag $image
case ${engine##*/} in
podman*)
    # The other format has no health check. A layer kept from an earlier build would bring that one's times along.
    set -- "$@" --format docker --layers=false --timestamp "$SOURCE_DATE_EPOCH"
    ;;
esac
id=$("$engine" build "$@" .)

size=$("$engine" image inspect --format '{{.Size}}' $image)
echo "built $image ($version for $platform, $((size / 1000)) kB, ${id#sha256:}) with $engine; run it with"
echo
echo "  $engine run --rm -p 8000:8000 -e TELEGRAM_BOT_TOKEN=... -e TELEGRAM_CHAT_ID=... -e PRINTER_ID=A1M-1 $image"
echo
echo "docs/container.md has the rest."
