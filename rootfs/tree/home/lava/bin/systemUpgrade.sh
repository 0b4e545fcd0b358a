#!/bin/sh
# Stands where the printer's updater is. The stand-in cannot be upgraded.
echo "systemUpgrade.sh: a stand-in printer cannot be upgraded" >&2
exit 1
