#!/bin/sh
# Boots the image in QEMU: what `make boot` runs. boot.sh [--console]
set -eu

cd "$(dirname "$0")/.."

toolchain/build-image.sh --again
image=$(sed -n 's/^OUT=//p' .cache/image-settings)
exec "${CARGO_TARGET_DIR:-target}/tool/octofw" boot "$@" "$image"
