#!/bin/sh
# Lays this repository out as an overlay of the community's firmware tree:
# dist/overlay/53-octoapp-moonraker-plugin/{root,scripts,README.md,octofw-lint.toml}
#
# Files come from overlay/, scripts/ and .cache/program/; the list of what the program is made of comes from octofw.
# Modes follow from the run bit alone, times from the commit, so that neither umask nor clock of the build shows. An
# unchanged overlay is left alone.
set -eu

cd "$(dirname "$0")/.."
umask 022

name=53-octoapp-moonraker-plugin
triple=aarch64-unknown-linux-musl
program=.cache/program/$triple/octobridge
# Beside the image.
sbom=$(dirname "${OUT:-dist/firmware.bin}")/sbom
octofw=${OCTOFW:-target/tool/octofw}

mkdir -p dist/overlay
# Laid out aside and moved into place whole.
new=$(mktemp -d -p dist/overlay)
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM

mkdir -p "$new/root" "$new/scripts"
cp -dR overlay/. "$new/root/"
rm -f "$new/root/README.md"
# It is about the overlay, not of the root.
mv "$new/root/octofw-lint.toml" "$new/"
cp scripts/*.sh "$new/scripts/"
if [ -f overlay/README.md ]; then
    cp overlay/README.md "$new/"
else
    cp README.md "$new/"
fi

share=$new/root/usr/local/share/octobridge
mkdir -p "$new/root/usr/local/bin" "$share/licences" "$sbom"
cp "$program" "$new/root/usr/local/bin/octobridge"
cp LICENSE-APACHE LICENSE-MIT "$share/licences/"
"$octofw" licences texts --package octobridge --target $triple --out "$sbom/licences.txt" >/dev/null
cp "$sbom/licences.txt" "$share/licences/crates.txt"
SOURCE_DATE_EPOCH=$(toolchain/source-date.sh)
export SOURCE_DATE_EPOCH
"$octofw" sbom program --package octobridge --target $triple --out "$sbom/octobridge.cdx.json" \
    --out "$sbom/octobridge.spdx.json" >/dev/null
cp "$sbom/octobridge.cdx.json" "$sbom/octobridge.spdx.json" "$share/"

find "$new" -type d -exec chmod 755 {} +
find "$new" -type f -perm -100 -exec chmod 755 {} +
find "$new" -type f ! -perm -100 -exec chmod 644 {} +
find "$new" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

place=dist/overlay/$name
# Contents, links, modes and times of a tree, one line each.
listing() {
    (cd "$1" && find . -printf '%P %y %m %T@ %l\n' | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}
if [ -d "$place" ] && [ "$(listing "$place")" = "$(listing "$new")" ]; then
    exit 0
fi
rm -rf "$place"
mv "$new" "$place"
