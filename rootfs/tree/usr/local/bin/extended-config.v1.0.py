#!/bin/sh
# Reads extended.cfg like the helper of the community firmware up to v1.0: positional and read only.
# It takes the place of /usr/local/bin/extended-config.py on a stand-in of that generation.

lib=${0%/*}/../lib/extended-config

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
    echo "Usage: extended-config.py FILE SECTION KEY [DEFAULT]" >&2
    exit 1
fi
input=/dev/null
if [ -f "$1" ] && [ -r "$1" ]; then input=$1; fi
has_default=0
[ $# -eq 3 ] || has_default=1
SECTION=$2 KEY=$3 DEFAULT=${4-} HAS_DEFAULT=$has_default awk -f "$lib/read.awk" <"$input" || exit 1
