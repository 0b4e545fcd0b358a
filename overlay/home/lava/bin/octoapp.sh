#!/bin/sh
#
# Octobridge's launcher: finds the bootstrap JSON and becomes the program. S66octoapp runs it in the background as
# the service's user, so a file system that hangs here holds up nothing else.
#
# The first file there is counts, even if its content is broken: the program says so in `status`, which beats
# quietly running on other settings than those that the owner sees.

PROGRAM=${OCTOBRIDGE_PROGRAM:-/usr/local/bin/octobridge}
PRINTER_DATA=${OCTOBRIDGE_PRINTER_DATA:-/home/lava/printer_data}
SHARE=${OCTOBRIDGE_SHARE:-/usr/local/share/octobridge}

HOME=${OCTOBRIDGE_HOME:-/home/lava}
export HOME
umask 022
cd / || exit 1

for bootstrap in \
    "$PRINTER_DATA/config/extended/octoapp/octoapp-service-config.json" \
    "$PRINTER_DATA/config/octoapp-service-config.json" \
    "$SHARE/octoapp-service-config.json"; do
    [ ! -f "$bootstrap" ] || exec "$PROGRAM" run "$bootstrap"
done
exec "$PROGRAM" run
