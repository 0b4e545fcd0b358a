#!/bin/sh
# Makes a small image that acts like a workshop, for tests: workshop-light.sh [IMAGE]
#
# IMAGE is its name, by default localhost/octo-light:test. It has BusyBox, octo-init, octo-files, octo-terminal, and a
# stand-in for an agent server; no toolchain. It is imported and not built, which takes a second and asks no registry.
# CONTAINER_ENGINE names the engine (podman); its settings come from the environment, as CONTAINERS_CONF. An image that
# is there already and holds the same files is left alone, so that every test may ask for it.
set -eu

cd "$(dirname "$0")/.."
umask 022

image=${1:-localhost/octo-light:test}
engine=${CONTAINER_ENGINE:-podman}
arch=$(uname -m)

mkdir -p .cache/workshop
exec 9>.cache/workshop/light.lock
flock 9

# WORKSHOP_PROGRAMS names a directory in which they are ready, for a bed that has built them.
programs=${WORKSHOP_PROGRAMS:-.cache/workshop/$arch}
[ -n "${WORKSHOP_PROGRAMS:-}" ] || toolchain/workshop-programs.sh session 9>&-

busybox=$(command -v busybox)
sum=$(cat "$programs/octo-init" "$programs/octo-files" "$programs/octo-terminal" "$programs/octo-stand-in-agent" \
    "$busybox" toolchain/workshop-light.sh | sha256sum | cut -c1-32)
there=$("$engine" image inspect --format '{{index .Config.Labels "octo.light"}}' "$image" 2>/dev/null 9>&-) || there=
[ "$there" != "$sum" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
mkdir -p "$root/bin" "$root/etc" "$root/usr/local/bin" "$root/usr/local/share/octo/skeleton/workspace/overlay" \
    "$root/home/dev/workspace" "$root/tmp" "$root/proc" "$root/dev" "$root/sys" "$root/run"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
for program in octo-init octo-files octo-terminal octo-stand-in-agent; do
    cp "$programs/$program" "$root/usr/local/bin/"
done
printf 'root:x:0:0:root:/:/bin/sh\ndev:x:1000:1000:dev:/home/dev:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\ndev:x:1000:\n' >"$root/etc/group"
printf 'A workspace for tests.\n' >"$root/usr/local/share/octo/skeleton/workspace/README.md"
printf '#!/bin/sh\necho hello\n' >"$root/usr/local/share/octo/skeleton/workspace/overlay/hello"
chmod 755 "$root/usr/local/share/octo/skeleton/workspace/overlay/hello"

# A working directory below a volume would be made by the engine, and belong to root: octo-init makes the workspace.
# The home is the user's, everything else root's; whoever runs this.
tar -C "$root" --sort=name --owner=0 --group=0 --mtime=@1767225600 --exclude=./home/dev -cf "$work/image.tar" .
tar -C "$root" --sort=name --owner=1000 --group=1000 --mtime=@1767225600 -rf "$work/image.tar" ./home/dev
"$engine" import \
    --change 'ENTRYPOINT ["/usr/local/bin/octo-init"]' \
    --change 'ENV PATH=/usr/local/bin:/bin' \
    --change 'ENV HOME=/home/dev' \
    --change 'ENV WORKSPACE=/home/dev/workspace' \
    --change 'ENV OCTO_SHELL=/bin/sh' \
    --change 'ENV OCTO_AGENT=octo-stand-in-agent' \
    --change 'USER 1000:1000' \
    --change 'WORKDIR /home/dev' \
    --change "LABEL octo.light=$sum" \
    "$work/image.tar" "$image" 9>&- >/dev/null
echo "made the container image $image"
