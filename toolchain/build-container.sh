#!/bin/sh
# Builds the container image printer-bridge:latest for this machine's processor: what `make container` runs.
set -eu

cd "$(dirname "$0")/.."
umask 022

triple=$(uname -m)-unknown-linux-musl
image=printer-bridge:latest

for engine in ${CONTAINER_ENGINE:-podman docker}; do
    command -v "$engine" >/dev/null 2>&1 && break
done

toolchain/install.sh container "rust-target:$triple"
CROSS=native pre-scripts/01-build-program.sh "$triple"

rm -rf .cache/container
mkdir -p .cache/container/data
# An empty directory is not copied by every engine.
: >.cache/container/data/.keep
cp ".cache/program/$triple/octobridge" .cache/container/
# The image is for the user, so it goes into the engine's own store and not below .cache/.
"$engine" build --network=host --tag "$image" --file Dockerfile .cache/container
echo "built $image; try: $engine run --rm -p 127.0.0.1:8000:8000 $image"
