#!/bin/sh
# Makes the Debian image that toolchain/cross/Dockerfile starts from, if it is not there: container-base.sh
#
# No registry is asked: mmdebstrap builds a minimal Debian out of the package archive, and the engine imports it.
# DEBIAN_MIRROR names another archive. Expects the assignments of container-engine.sh in the environment.
set -eu

: "${engine:?the container engine}"
suite=bookworm
image=localhost/octobridge/debian:$suite

"$engine" image inspect "$image" >/dev/null 2>&1 && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "making the container image $image with mmdebstrap"
# shellcheck disable=SC2086 # no mirror is no argument
if ! mmdebstrap --quiet --variant=minbase --include=ca-certificates $suite "$work/base.tar" ${DEBIAN_MIRROR:-} \
    2>"$work/log"; then
    cat "$work/log" >&2
    echo "mmdebstrap could not make a Debian $suite; DEBIAN_MIRROR=URL names another package archive" >&2
    exit 1
fi
"$engine" import --change 'CMD ["/bin/sh"]' "$work/base.tar" "$image" >/dev/null
