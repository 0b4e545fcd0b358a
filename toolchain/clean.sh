#!/bin/sh
# Removes everything that a build made here: what `make clean` runs.
set -eu

cd "$(dirname "$0")/.."

# Our own container storage is mounted while it is in use, and without root its files belong to other user ids.
storage=.cache/containers
if [ -e $storage/storage.conf ] && command -v podman >/dev/null 2>&1; then
    CONTAINERS_STORAGE_CONF=$PWD/$storage/storage.conf
    CONTAINERS_CONF=$PWD/$storage/careful.conf
    export CONTAINERS_STORAGE_CONF CONTAINERS_CONF
    podman rm --all --force --time 0 >/dev/null 2>&1 || true
    if [ "$(id -u)" -eq 0 ]; then
        umount "$storage/store/overlay" 2>/dev/null || true
    else
        podman unshare rm -rf $storage 2>/dev/null || true
    fi
fi
chmod -R u+w dist .cache 2>/dev/null || true
rm -rf target dist .cache
