#!/bin/sh
# Finds a container engine that can run something here: container-engine.sh
#
# Prints shell assignments for `eval`: `engine` and, for podman, the settings it needs. Exits with 1 and one line on
# standard error when there is none. Looks at podman first, with its images below .cache/containers/ so that the
# machine's own are left alone and `make clean` removes ours; then with runc and low limits, which helps inside
# virtual machines and containers that may not raise them; then as it is; then at docker. CONTAINER_ENGINE names one.
set -eu

cd "$(dirname "$0")/.."

place=$PWD/.cache/containers
probe_image=localhost/octobridge/probe:latest

engines() {
    if [ -n "${CONTAINER_ENGINE:-}" ]; then
        echo "$CONTAINER_ENGINE"
    else
        echo podman docker
    fi
}

# The settings in which the engine is tried, one word each.
ways() {
    case ${1##*/} in
    podman*) echo own careful plain ;;
    *) echo plain ;;
    esac
}

# A limit of this process as podman wants it (soft:hard), never above what is allowed here nor above CAP.
limit() {
    awk -v name="$1" -v cap="$2" '
        index($0, name) == 1 {
            split(substr($0, length(name) + 1), field, " ")
            for (i = 1; i <= 2; i++) if (field[i] == "unlimited" || field[i] + 0 > cap) field[i] = cap
            print field[1] ":" field[2]
        }' /proc/self/limits
}

write_settings() {
    # Podman keeps absolute paths in its database: after a move of the clone it must start afresh.
    if [ -e "$place/storage.conf" ] && ! grep -qF "\"$place/store\"" "$place/storage.conf"; then
        rm -rf "$place"
    fi
    mkdir -p "$place/store" "$place/run" "$place/tmp"
    cat >"$place/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$place/store"
rootless_storage_path = "$place/store"
runroot = "$place/run"
END
    # Without root, podman looks for its database and its volumes at the user's own place unless told.
    cat >"$place/own.conf" <<END
[containers]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
static_dir = "$place/store/libpod"
tmp_dir = "$place/tmp"
volume_path = "$place/store/volumes"
END
    {
        echo '[containers]'
        echo "default_ulimits = [\"nofile=$(limit 'Max open files' 4096)\", \"nproc=$(limit 'Max processes' 4096)\"]"
        sed -e 1d -e 's/^\[engine\]$/&\nruntime = "runc"/' "$place/own.conf"
    } >"$place/careful.conf"
}

assignments() {
    echo "engine='$1'"
    case $2 in
    own | careful)
        echo "CONTAINERS_CONF='$place/$2.conf'"
        echo "CONTAINERS_STORAGE_CONF='$place/storage.conf'"
        echo 'export CONTAINERS_CONF CONTAINERS_STORAGE_CONF'
        ;;
    esac
}

# Imports an image that holds one static program and runs that.
# shellcheck disable=SC2154 # `engine` comes from assignments
probe() (
    eval "$(assignments "$1" "$2")"
    tar -C / -c bin/busybox | timeout 60 "$engine" import - "$probe_image" >/dev/null &&
        timeout 60 "$engine" run --rm --network=host "$probe_image" /bin/busybox true
)

mkdir -p .cache
answer=.cache/container-engine
# One at a time: two would write each other's settings. No process of the engine may inherit the lock and live on.
exec 9>.cache/container-engine.lock
flock 9
tried=
for name in $(engines); do
    program=$(command -v "$name") || continue
    tried="$tried $name"
    # The answer holds as long as the engine's program is the same one.
    key="# $(stat -L -c '%n %i %s %Y' "$program") $PWD"
    if [ -r $answer ] && [ "$(head -n 1 $answer)" = "$key" ]; then
        sed 1d $answer
        exit 0
    fi
    if ! [ -x /bin/busybox ]; then
        toolchain/install.sh "${MAKE_TARGET:-overlay}" cross >&2
    fi
    for way in $(ways "$name"); do
        [ "$way" = plain ] || write_settings
        if probe "$program" "$way" >"$answer.log" 2>&1 9>&-; then
            { echo "$key"; assignments "$program" "$way"; } >$answer.new
            mv $answer.new $answer
            rm -f $answer.log
            sed 1d $answer
            exit 0
        fi
    done
done

if [ -z "$tried" ]; then
    echo "no container engine is installed" >&2
else
    echo "no container runs here (tried:$tried): $(tail -n 1 $answer.log)" >&2
fi
exit 1
