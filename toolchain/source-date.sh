#!/bin/sh
# Prints the time that a build stamps on its results, in seconds since 1970: SOURCE_DATE_EPOCH if that is set, else
# the time of the last commit, else a fixed day (a source archive has no commit).
set -eu

cd "$(dirname "$0")/.."

if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    echo "$SOURCE_DATE_EPOCH"
else
    # The clone may belong to somebody else, which git refuses unless told.
    git -c safe.directory="$PWD" log -1 --format=%ct 2>/dev/null || echo 1767225600
fi
