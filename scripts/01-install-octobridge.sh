#!/bin/sh
#
# Install step of the overlay, run by the image builder on the unpacked root: 01-install-octobridge.sh ROOTFS
#
# Does what copying root/ cannot: gives lava what lives in lava's home, and puts the defaults and the web switches
# where this base looks for them. Builders run it before copying root/ (the classic order) or after (the current one);
# the outcome is the same, because everything is taken from this overlay's own root/, and copying over an existing
# file keeps its owner and mode. A second run changes nothing.

set -eu

fail() {
    echo "[!] octobridge: $*" >&2
    exit 1
}

if [ -z "${CREATE_FIRMWARE:-}" ]; then
    fail "this is run by the firmware builder on an unpacked root; set CREATE_FIRMWARE=1 if that is what you are"
fi
[ $# = 1 ] || fail "usage: $0 ROOTFS"
[ -d "$1/etc/init.d" ] || fail "$1 is not an unpacked root: it has no etc/init.d"

umask 022
root=$(cd -- "$1" && pwd -P)
[ "$root" != / ] || fail "will not install into the running system"
files=$(cd -- "$(dirname -- "$0")/../root" && pwd -P) || fail "there is no root/ beside the folder of $0"
share=usr/local/share/octobridge
marker="Octobridge's init script"

# Whether folder $1 of the root is there, and really inside the root: a link could lead to the build machine's own.
is_folder() {
    [ -d "$root/$1" ] || return 1
    case $(cd -- "$root/$1" && pwd -P)/ in
        "$root"/*) return 0 ;;
    esac
    fail "$1 is a link that leads out of the root; this base needs a look by hand"
}

# Copies file $1 of root/ to $2 in the root with mode $3, and to owner $4.
put() {
    target=$root/$2
    folder=${2%/*}
    if [ ! -e "$root/$folder" ] && [ ! -L "$root/$folder" ]; then
        mkdir -- "$root/$folder"
        chown "$4" "$root/$folder"
    fi
    is_folder "$folder" || fail "$folder is not a folder, so $2 cannot be put there"
    # Never through a link, which might be absolute and lead to the build machine.
    [ ! -L "$target" ] || rm -f -- "$target"
    cp -- "$files/$1" "$target"
    chmod "$3" "$target"
    chown "$4" "$target"
    echo "   $2"
}

echo ">> Installing Octobridge"

# Start number 66 is ours alone: another service of this number, or another OctoApp, would fight with us.
for script in "$root"/etc/init.d/S66*; do
    [ -e "$script" ] || [ -L "$script" ] || continue
    name=${script##*/}
    if [ "$name" != S66octoapp ]; then
        fail "this base already has etc/init.d/$name, and Octobridge needs the number 66. Leave one of the two overlays out"
    fi
    if [ -L "$script" ] || ! grep -q "$marker" "$script"; then
        fail "this base already has an etc/init.d/S66octoapp that is not Octobridge's. Leave the other OctoApp overlay out"
    fi
done
# What the Python plugin's overlay leaves behind, even where our S66octoapp has replaced its own.
for trace in home/lava/octoapp usr/local/bin/octoapp.sh; do
    if [ -e "$root/$trace" ] || [ -L "$root/$trace" ]; then
        fail "this base already has $trace, of the OctoApp plugin's overlay. Leave that overlay out: Octobridge replaces it"
    fi
done

is_folder home/lava/bin || fail "this base has no home/lava/bin; it is not the printer's"
put home/lava/bin/octoapp.sh home/lava/bin/octoapp.sh 0755 1000:1000

# The firmware copies defaults from one of these to the owner's settings at boot, never over a file that is there.
# Without either (stock firmware) the program uses the default in its own folder.
json=octoapp-service-config.json
if is_folder usr/local/share/firmware-config/extended; then
    put "$share/$json" "usr/local/share/firmware-config/extended/octoapp/$json" 0644 0:0
fi
if is_folder home/lava/default-config/extended; then
    put "$share/$json" "home/lava/default-config/extended/octoapp/$json" 0644 1000:1000
fi

# The switches on the web page, where there is such a page.
if is_folder usr/local/share/firmware-config/functions; then
    put "$share/firmware-config/53_octobridge.yaml" usr/local/share/firmware-config/functions/53_octobridge.yaml 0644 0:0
fi

# The set-up page behind the printer's web server. Only where that knows Moonraker by the name that the page asks it by:
# with a name that it does not know nginx would not start at all.
if is_folder etc/nginx/fluidd.d; then
    if grep -rqs '^[[:space:]]*upstream[[:space:]][[:space:]]*apiserver[[:space:]]*{' "$root/etc/nginx"; then
        put "$share/nginx/octobridge.conf" etc/nginx/fluidd.d/octobridge.conf 0644 0:0
    else
        echo "   no etc/nginx/fluidd.d/octobridge.conf: nginx knows no apiserver here, so the set-up page stays on port 8000"
    fi
fi
