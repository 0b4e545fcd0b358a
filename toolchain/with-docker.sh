#!/bin/sh
# Runs a command where docker answers: with-docker.sh COMMAND ARG...
#
# OCTO_TEST_DOCKER tells the command where docker's client is. A daemon that answers already is taken; else one is started
# for as long as the command runs, Debian's, which install.sh unpacks below .cache/docker. That daemon and the command
# have a network and mounts of their own, so that nothing of this machine is changed. Exits with the command's code, or
# with 77 where there can be no docker, and says why. Root's alone.
set -eu

[ $# -gt 0 ] || { echo "usage: with-docker.sh COMMAND ARG..." >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)

if [ "${WITH_DOCKER_INSIDE:-}" = "" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        # Docker knows no users but the machine's, and only root can give a home to the one inside.
        echo "only root can give files to the user of a container of docker's" >&2
        exit 77
    fi
    client=$(command -v docker) || client=
    if [ -n "$client" ] && "$client" info >/dev/null 2>&1; then
        OCTO_TEST_DOCKER=$client
        export OCTO_TEST_DOCKER
        exec "$@"
    fi
    (cd "$top" && toolchain/install.sh "${MAKE_TARGET:-test}" docker)
    if ! unshare --mount --net true 2>/dev/null; then
        echo "no docker daemon answers, and there are no namespaces here in which to start one" >&2
        exit 77
    fi
    # On a disk: a container's files cannot be laid over others that are in an overlay themselves. The X's are mktemp's way
    # of asking for a name that nobody has.
    place=$(mktemp -d -p "$top/.cache/docker")
    WITH_DOCKER_INSIDE=$place unshare --mount --net --propagation private "$0" "$@" || code=$?
    rmdir /sys/fs/cgroup/octo-test-$$ /sys/fs/cgroup/*/octo-test-$$ 2>/dev/null || true
    rm -rf "$place"
    exit "${code:-0}"
fi

place=$WITH_DOCKER_INSIDE
unset WITH_DOCKER_INSIDE
ip link set lo up
# Docker writes there, and finds what belongs to other daemons.
mount -t tmpfs none /run
mkdir -p /run/lock /run/etc/upper /run/etc/work
mount -t overlay none -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
packages=$top/.cache/docker
PATH=$packages/usr/bin:$packages/usr/sbin:$PATH:/usr/sbin:/sbin
export PATH
DOCKER_HOST=unix:///run/docker.sock
OCTO_TEST_DOCKER=$packages/usr/bin/docker
export DOCKER_HOST OCTO_TEST_DOCKER
# The parent of this process removes the control groups by this name.
dockerd --host $DOCKER_HOST --data-root "$place/data" --exec-root /run/docker --pidfile /run/docker.pid \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "octo-test-$PPID" \
    --default-ulimit nofile=1024:4096 --default-ulimit nproc=1024:4096 >"$place/log" 2>&1 &
daemon=$!
end() {
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" || true
}
trap end EXIT
trap 'exit 1' HUP INT TERM
tries=0
until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    if ! kill -0 "$daemon" 2>/dev/null || [ "$tries" -gt 300 ]; then
        echo "docker's daemon did not come up here:" >&2
        tail -n 5 "$place/log" >&2
        exit 77
    fi
    sleep 0.1
done
"$@"
