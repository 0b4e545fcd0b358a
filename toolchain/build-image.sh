#!/bin/sh
# Builds dist/firmware.bin, everything before it included: what `make overlay` runs. build-image.sh [--again]
#
# Reads FIRMWARE, OVERLAYS, PROFILE, OUT, CROSS and OFFLINE, as docs/building.md explains. With --again, what is not set has
# the value of the last build, so that a test does not replace an image on stock firmware by one on the stand-in.
set -eu

cd "$(dirname "$0")/.."
umask 022

program=.cache/program/aarch64-unknown-linux-musl
# The largest program that the budget allows, in bytes; benches/ measures the others.
largest=3000000

settings=${IMAGE_SETTINGS:-.cache/image-settings}
if [ "${1:-}" = --again ] && [ -r "$settings" ]; then
    while IFS='=' read -r name value; do
        case $name in
        FIRMWARE) FIRMWARE=${FIRMWARE:-$value} ;;
        OVERLAYS) OVERLAYS=${OVERLAYS:-$value} ;;
        PROFILE) PROFILE=${PROFILE:-$value} ;;
        OUT) OUT=${OUT:-$value} ;;
        esac
    done <"$settings"
    # Either way gives the same program, so the one that is already there is as good.
    CROSS=${CROSS:-$(cat $program/way 2>/dev/null || echo native)}
    export CROSS
fi
out=${OUT:-dist/firmware.bin}
OUT=$out
export OUT
if [ -n "${FIRMWARE:-}" ] && [ ! -f "$FIRMWARE" ]; then
    echo "FIRMWARE=$FIRMWARE: there is no such file" >&2
    exit 2
fi
for overlay in ${OVERLAYS:-}; do
    if [ ! -d "$overlay" ]; then
        echo "OVERLAYS: $overlay is no directory" >&2
        exit 2
    fi
done

offline=
if [ -n "${OFFLINE:-}" ]; then
    offline=--offline
    # Crates come from cargo's cache. The container would be made of packages.
    CARGO_NET_OFFLINE=true
    [ "${CROSS:-auto}" != auto ] || CROSS=native
    export CARGO_NET_OFFLINE CROSS OFFLINE
fi

# Two runs in one clone wait for each other.
mkdir -p .cache "$(dirname "$out")"
if [ "${OCTOBRIDGE_BUILD_LOCKED:-}" != "$PWD" ]; then
    exec env OCTOBRIDGE_BUILD_LOCKED="$PWD" flock .cache/build.lock toolchain/build-image.sh "$@"
fi
printf '%s\n' "FIRMWARE=${FIRMWARE:-}" "OVERLAYS=${OVERLAYS:-}" "PROFILE=${PROFILE:-}" "OUT=$(realpath -m "$out")" >"$settings"

SOURCE_DATE_EPOCH=$(toolchain/source-date.sh)
export SOURCE_DATE_EPOCH

if [ -z "${OCTOFW:-}" ]; then
    cargo build --quiet --locked --profile tool --package octofw
    OCTOFW=$(realpath "${CARGO_TARGET_DIR:-target}/tool/octofw")
    export OCTOFW
fi
octofw=$OCTOFW

pre-scripts/01-build-program.sh
"$octofw" check-program --max-size $largest $program/octobridge
pre-scripts/02-lay-out-overlay.sh
sbom=$(dirname "$out")/sbom
if ! found=$("$octofw" licences check --policy licences.toml "$sbom/octobridge.cdx.json"); then
    printf '%s\n' "$found" >&2
    exit 1
fi

base=${FIRMWARE:-}
if [ -z "$base" ]; then
    base=.cache/standin/mini.bin
    mkdir -p .cache/standin
    # Made anew when the recipe or the program that reads it is newer.
    if [ ! -f $base ] || [ -n "$(find rootfs octofw.lock "$octofw" -newer $base -print -quit)" ]; then
        "$octofw" standin --size mini $offline --out $base
        touch $base
    fi
fi

set -- --base "$base" --overlay dist/overlay/53-octoapp-moonraker-plugin
for overlay in ${OVERLAYS:-}; do
    set -- "$@" --overlay "$overlay"
done
if [ -n "${PROFILE:-}" ]; then
    set -- "$@" --profile "$PROFILE"
fi
while IFS= read -r tool; do
    set -- "$@" --tool "$tool"
done <$program/tools
"$octofw" build "$@" $offline --sbom /usr/local/share/octobridge --out "$out"
"$octofw" sbom image --image "$out" --program-sbom "$sbom/octobridge.cdx.json" \
    --out "$sbom/image.cdx.json" --out "$sbom/image.spdx.json" >/dev/null
set -- --byproduct "$sbom/image.cdx.json" --byproduct "$sbom/image.spdx.json"
if [ -z "${FIRMWARE:-}" ]; then
    set -- "$@" --lock octofw.lock
else
    set -- "$@" --input Cargo.lock
fi
# A source archive has no commit, and one with changes is none.
if commit=$(git -c safe.directory="$PWD" rev-parse --verify HEAD 2>/dev/null) &&
    git -c safe.directory="$PWD" diff --quiet HEAD; then
    set -- "$@" --commit "$commit"
fi
"$octofw" attest "$out" "$@" >/dev/null
