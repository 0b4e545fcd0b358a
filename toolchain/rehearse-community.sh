#!/bin/sh
# Takes the community's public overlays through octofw on the stand-in and writes what came of each step:
# rehearse-community.sh [TREE [TABLE]]. TREE is a folder or an address that git clones; TABLE is the page to write.
# Nothing of the tree is kept but the names of its steps.
set -eu

tree=${1:-https://github.com/paxx12/SnapmakerU1-Extended-Firmware.git}
table=${2:-docs/community-overlays.md}
# Folders are named from where the script was called.
case $tree in *://* | /*) ;; *) tree=$PWD/$tree ;; esac
case $table in /*) ;; *) [ $# -lt 2 ] || table=$PWD/$table ;; esac
cd "$(dirname "$0")/.."

toolchain/install.sh "${MAKE_TARGET:-rehearsal}" overlay scripts
if [ -z "${OCTOFW:-}" ]; then
    cargo build --quiet --locked --profile tool --package octofw
    OCTOFW=${CARGO_TARGET_DIR:-target}/tool/octofw
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A clone of its own: scripts ask git for the version, and what they make must not be left in somebody's folder.
git clone --quiet "$tree" "$work/tree"
"$OCTOFW" standin --size mini --out "$work/standin.bin" >"$work/standin.log"

# The widest profile: everything of the tree that is ever built.
profile=extended
[ ! -d "$work/tree/overlays/devel" ] || profile=extended-devel
for mod in "$work"/tree/overlays/mods/*/; do
    [ ! -d "$mod" ] || profile=$profile-$(basename "$mod")
done

# Ends with 1 where a step failed for a reason of its own, which the table tells.
result=0
"$OCTOFW" rehearse --quiet --offline --base "$work/standin.bin" --tree "$work/tree" --profile "$profile" \
    >"$work/table" || result=$?
[ -s "$work/table" ] || exit "$result"
{
    cat <<'END'
# The community's overlays on the stand-in

What `octofw` made of each step of the community's public overlays, on the stand-in base of `rootfs/`, without root and
without a network. The stand-in has none of the vendor's files, so a patch of one cannot apply; a script that fetches
something cannot run offline. Everything else is applied: every `root/`, and every script that needs neither.
`toolchain/rehearse-community.sh` wrote this page; nothing of the tree is kept here but the names of its steps.

END
    commit=$(git -C "$work/tree" rev-parse --short HEAD)
    echo "Tree: commit $commit of $(git -C "$work/tree" log -1 --format=%cs). Profile: $profile."
    echo
    cat "$work/table"
} >"$table"
sed -n '/ steps: /p' "$table"
exit "$result"
