# Sourced by rcS and rcK, as its name says. The stand-in has no radio.
# shellcheck shell=sh disable=SC2154
echo "S36wifibt-init.sh $1" >>/tmp/init.log
