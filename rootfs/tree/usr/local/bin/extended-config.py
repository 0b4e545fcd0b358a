#!/bin/sh
# Reads and changes extended2.cfg like the helper of this name on a printer with the community firmware from
# v1.1.0 on, whose calls and habits it keeps; the stand-in printer has no Python, so this is shell and awk.

lib=${0%/*}/../lib/extended-config

usage() {
    echo "Usage: extended-config.py get FILE SECTION KEY [DEFAULT]" >&2
    echo "       extended-config.py add|update FILE SECTION KEY VALUE" >&2
    echo "       extended-config.py comment|uncomment|has FILE SECTION" >&2
    exit 1
}

# A file that is not there or cannot be read counts as empty when reading.
readable() {
    if [ -f "$1" ] && [ -r "$1" ]; then printf '%s' "$1"; else printf /dev/null; fi
}

must_exist() {
    [ -e "$1" ] && return
    echo "ERROR: Config file '$1' does not exist" >&2
    exit 1
}

open_end=0
note_open_end() {
    must_exist "$1"
    [ -z "$(tail -c 1 "$1")" ] || open_end=1
}

case "$1:$#" in
get:4 | get:5)
    has_default=0
    [ $# -eq 4 ] || has_default=1
    input=$(readable "$2")
    SECTION=$3 KEY=$4 DEFAULT=${5-} HAS_DEFAULT=$has_default awk -f "$lib/read.awk" <"$input" || exit 1
    ;;
add:5 | update:5)
    note_open_end "$2"
    ACTION=$1 FILE=$2 SECTION=$3 KEY=$4 VALUE=$5 OPEN_END=$open_end awk -f "$lib/write.awk" <"$2" || exit 1
    ;;
comment:3 | uncomment:3)
    note_open_end "$2"
    ACTION=$1 FILE=$2 SECTION=$3 OPEN_END=$open_end awk -f "$lib/write.awk" <"$2" || exit 1
    ;;
has:3)
    must_exist "$2"
    SECTION=$3 awk '
        { sub(/^[ \t]+/, ""); sub(/[ \t\r]+$/, "") }
        /^\[.*\]$/ {
            name = substr($0, 2, length($0) - 2)
            gsub(/^[ \t]+|[ \t]+$/, "", name)
            if (name == ENVIRON["SECTION"]) found = 1
        }
        END { print found ? "yes" : "no"; exit !found }' <"$2" || exit 1
    ;;
*) usage ;;
esac
