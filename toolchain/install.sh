#!/bin/sh
# Installs what a make target misses: install.sh TARGET [GROUP ...].
#
# TARGET only appears in messages. Looks for commands and files, never for package names, so that a machine which has
# the tools from elsewhere is left alone and a second run is silent. Whatever is installed is named first. When it
# cannot be installed (no apt, no way to become root), the last line names the command that would do it.
set -eu

cd "$(dirname "$0")/.."

target=${1:?usage: install.sh TARGET GROUP...}
shift

# Groups, one line each thing: PACKAGE PROBE. A probe is a command, or a path (a pattern is allowed).
things() {
    case $1 in
    overlay) cat <<'END'
gcc cc
libc6-dev /usr/include/stdio.h
gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h
squashfs-tools mksquashfs
fakeroot fakeroot
patch patch
END
        ;;
    scripts) cat <<'END'
proot proot
qemu-user-static qemu-aarch64-static
curl curl
ca-certificates /etc/ssl/certs/ca-certificates.crt
unzip unzip
xz-utils xz
git git
END
        ;;
    cross) cat <<'END'
mmdebstrap mmdebstrap
podman podman
runc runc
busybox-static /bin/busybox
debian-archive-keyring /usr/share/keyrings/debian-archive-keyring.gpg
END
        # Without root, podman and mmdebstrap need the helpers that map user ids.
        if [ "$(id -u)" -ne 0 ]; then
            echo 'uidmap newuidmap'
        fi
        ;;
    workshop) cat <<'END'
gcc cc
libc6-dev /usr/include/stdio.h
busybox-static /bin/busybox
END
        if [ "${ARCH:-$(uname -m)}" = aarch64 ] && [ "$(uname -m)" != aarch64 ]; then
            echo 'gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc'
            echo 'libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h'
        fi
        ;;
    boot) cat <<'END'
qemu-system-arm qemu-system-aarch64
cpio cpio
e2fsprogs mkfs.ext4
END
        ;;
    quick) cat <<'END'
busybox-static /bin/busybox
cpio cpio
minisign minisign
faketime faketime
shellcheck shellcheck
python3 /usr/bin/python3
END
        ;;
    container)
        # Docker's command alone is no engine: its daemon has to answer.
        if command -v podman >/dev/null 2>&1 || ! docker info >/dev/null 2>&1; then
            echo 'podman podman'
            # Without root it needs helpers that map user ids and reach the network.
            if [ "$(id -u)" -ne 0 ]; then
                echo 'uidmap newuidmap'
                command -v pasta >/dev/null 2>&1 || echo 'slirp4netns slirp4netns'
            fi
        fi
        ;;
    podman)
        # What containers of tests hold, and what runs them where limits may not be raised.
        cat <<'END'
podman podman
runc runc
busybox-static /bin/busybox
END
        if [ "$(id -u)" -ne 0 ]; then
            echo 'uidmap newuidmap'
            command -v pasta >/dev/null 2>&1 || echo 'slirp4netns slirp4netns'
        fi
        ;;
    test) cat <<'END'
busybox-static /bin/busybox
minisign minisign
faketime faketime
shellcheck shellcheck
qemu-user-static qemu-aarch64-static
python3 /usr/bin/python3
python3-venv /usr/lib/python3*/ensurepip/__main__.py
libsodium23 /usr/lib/*/libsodium.so.23
END
        ;;
    page) cat <<'END'
chromium chromium
chromium-driver chromedriver
libpcre2-8-0 /usr/lib/*/libpcre2-8.so.0
libssl3 /usr/lib/*/libssl.so.3
END
        ;;
    docker)
        if needs_docker; then
            cat <<'END'
iptables /usr/sbin/iptables
iproute2 ip
runc runc
libdevmapper1.02.1 /usr/lib/*/libdevmapper.so.1.02.1
END
        fi
        ;;
    lint) cat <<'END'
shellcheck shellcheck
codespell codespell
END
        ;;
    fuzz) cat <<'END'
g++ c++
libc6-dev /usr/include/stdio.h
END
        ;;
    rust-target:* | rust-lint | axe | nginx | moonraker | connect-sdk | octoapp-plugin | peer | validators | schemathesis | ttyd) ;;
    *)
        echo "install.sh: there is no group \`$1\`" >&2
        exit 2
        ;;
    esac
}

# True if tests with docker need a daemon of their own, and can have one.
needs_docker() {
    [ "$(id -u)" -eq 0 ] && ! docker info >/dev/null 2>&1
}

# True if the command or file is there. Commands of /sbin count, though a user's PATH often lacks it.
present() {
    case $1 in
    /*)
        for found in $1; do
            [ -e "$found" ] && return 0
        done
        return 1
        ;;
    *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
    esac
}

missing_packages() {
    missing=
    for group in "$@"; do
        list=$(things "$group")
        while read -r package probe; do
            [ -n "$package" ] || continue
            present "$probe" && continue
            case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
        done <<END
$list
END
    done
    missing=${missing# }
}

# online WHAT COMMAND: with OFFLINE=1 nothing is fetched, and what is missing is named with the command that gets it.
online() {
    [ -n "${OFFLINE:-}" ] || return 0
    echo "make $target needs $1, and OFFLINE forbids fetching; with a network: $2" >&2
    exit 1
}

# True if apt knows every package already; then the lists need no update.
apt_knows() {
    for package in $missing; do
        apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || return 1
    done
}

install_packages() {
    missing_packages "$@"
    [ -n "$missing" ] || return 0
    by_hand="apt-get install --no-install-recommends $missing"
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "make $target needs: $missing (names of Debian packages; there is no apt here to install them)" >&2
        exit 1
    fi
    online "$missing" "$by_hand"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1 || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            echo "make $target needs packages that only root can install: su -c '$by_hand'" >&2
            exit 1
        fi
        as_root=sudo
    fi
    echo "make $target installs these system packages with apt: $missing"
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0"
    # shellcheck disable=SC2086 # both are lists of words
    if ! { apt_knows && $apt install -y --no-install-recommends $missing >.cache/apt.log 2>&1; }; then
        if ! { $apt update && $apt install -y --no-install-recommends $missing; } >.cache/apt.log 2>&1; then
            tail -n 20 .cache/apt.log >&2
            echo "apt failed (its whole output is in .cache/apt.log); once it works: ${as_root:+sudo }$by_hand" >&2
            exit 1
        fi
    fi
    missing_packages "$@"
    if [ -n "$missing" ]; then
        echo "apt installed everything, and still something of these is not found: $missing" >&2
        exit 1
    fi
}

# rustc takes longer to start than everything else here, so the place of its libraries is remembered.
sysroot() {
    if ! command -v rustc >/dev/null 2>&1; then
        echo "make $target needs Rust: install it from https://rustup.rs, then open a new shell" >&2
        exit 1
    fi
    remembered=.cache/rust-sysroot
    # A change of toolchain shows in the variable, in rustup's settings, or in rustc itself.
    # shellcheck disable=SC3013 # `-nt` is not POSIX, but every sh of a Linux system knows it
    if [ ! -s $remembered ] || [ "${RUSTUP_TOOLCHAIN:-}" ] ||
        [ "${RUSTUP_HOME:-${HOME:-/root}/.rustup}/settings.toml" -nt $remembered ] ||
        [ "$(command -v rustc)" -nt $remembered ]; then
        rustc --print sysroot >$remembered.$$ || exit 1
        mv $remembered.$$ $remembered
    fi
    read -r root <$remembered
    echo "$root"
}

install_rust_target() {
    root=$(sysroot)
    for triple in "$@"; do
        [ -d "$root/lib/rustlib/$triple/lib" ] && continue
        if ! command -v rustup >/dev/null 2>&1; then
            echo "make $target needs Rust's libraries for $triple in $root, and there is no rustup to add them" >&2
            exit 1
        fi
        online "Rust's target $triple" "rustup target add $triple"
        echo "make $target adds the Rust target $triple with rustup"
        if ! rustup --quiet target add "$triple"; then
            echo "rustup failed; once it works: rustup target add $triple" >&2
            exit 1
        fi
    done
}

install_rust_lint() {
    for component in rustfmt clippy; do
        program=cargo-clippy
        [ $component = clippy ] || program=rustfmt
        [ -x "$(sysroot)/bin/$program" ] && continue
        online "$component" "rustup component add $component"
        echo "make $target adds $component with rustup"
        if ! rustup --quiet component add $component; then
            echo "rustup failed; once it works: rustup component add $component" >&2
            exit 1
        fi
    done
}

# cargo-fuzz, and the nightly compiler that it needs. Any version that is there will do.
install_fuzz() {
    sysroot >/dev/null
    if ! command -v rustup >/dev/null 2>&1; then
        echo "make $target needs a nightly compiler, and there is no rustup to add it: see https://rustup.rs" >&2
        exit 1
    fi
    if ! rustup run nightly rustc --version >/dev/null 2>&1; then
        by_hand="rustup toolchain install nightly --profile minimal"
        online "a nightly compiler" "$by_hand"
        echo "make $target installs a nightly compiler with rustup"
        if ! $by_hand --no-self-update >.cache/rustup.log 2>&1; then
            tail -n 20 .cache/rustup.log >&2
            echo "rustup failed; once it works: $by_hand" >&2
            exit 1
        fi
    fi
    if ! cargo fuzz --version >/dev/null 2>&1; then
        by_hand="cargo install --locked cargo-fuzz@0.13.2"
        online cargo-fuzz "$by_hand"
        echo "make $target installs cargo-fuzz with cargo"
        if ! $by_hand --quiet; then
            echo "cargo failed; once it works: $by_hand" >&2
            exit 1
        fi
    fi
}

# A Python environment of its own below .cache/python/NAME, exactly as locked in toolchain/NAME-requirements.txt.
install_python() {
    name=$1
    lock=toolchain/$name-requirements.txt
    place=.cache/python/$name
    cmp -s "$lock" "$place/installed" && [ -x "$place/bin/python3" ] && return 0
    python=/usr/bin/python3
    if ! "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(command -v python3)
    fi
    online "$name of PyPI" "make $target"
    echo "make $target installs $name from PyPI into $place"
    rm -rf "$place"
    if ! {
        "$python" -m venv "$place" &&
            "$place/bin/python3" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    }; then
        echo "pip failed; once it works: make $target" >&2
        exit 1
    fi
    cp "$lock" "$place/installed"
}

# axe, which judges pages: one script in a package whose other contents, and what they need, are not wanted.
install_axe() {
    lock=toolchain/axe-requirements.txt
    place=.cache/python/axe
    cmp -s "$lock" "$place/installed" && [ -s "$place/axe.min.js" ] && return 0
    online "axe from PyPI" "make $target"
    echo "make $target installs axe from PyPI into $place"
    rm -rf "$place"
    if ! {
        /usr/bin/python3 -m venv "$place" &&
            "$place/bin/python3" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
                --only-binary :all: --dest "$place/package" -r "$lock" &&
            "$place/bin/python3" -m zipfile -e "$place"/package/*.whl "$place/package" &&
            cp "$place"/package/*/axe.min.js "$place/axe.min.js"
    }; then
        echo "pip failed; once it works: make $target" >&2
        exit 1
    fi
    cp "$lock" "$place/installed"
}

# nginx as Debian has it, unpacked and not installed: once installed it would serve this machine.
install_nginx() {
    place=.cache/nginx
    [ -x $place/usr/sbin/nginx ] && return 0
    online "nginx" "make $target"
    echo "make $target fetches nginx with apt into $place"
    rm -rf $place
    mkdir -p $place
    if ! { (cd $place && apt-get -qq download nginx) && dpkg-deb -x $place/nginx_*.deb $place; } 2>.cache/apt.log; then
        tail -n 20 .cache/apt.log >&2
        echo "apt failed; once it works: make $target" >&2
        exit 1
    fi
}

# Docker as Debian has it, unpacked and not installed: once installed its daemon would run on this machine.
install_docker() {
    place=.cache/docker
    ! needs_docker || { [ -x $place/usr/sbin/dockerd ] && [ -x $place/usr/bin/docker ]; } && return 0
    online "docker" "make $target"
    echo "make $target fetches docker with apt into $place"
    rm -rf $place
    mkdir -p $place
    # Newer releases have the client in a package of its own.
    packages="docker.io containerd"
    ! apt-cache show --no-all-versions docker-cli >/dev/null 2>&1 || packages="$packages docker-cli"
    # shellcheck disable=SC2086 # a list of words
    if ! {
        (cd $place && apt-get -qq download $packages) &&
            for package in "$place"/*.deb; do dpkg-deb -x "$package" $place && rm "$package" || exit 1; done
    } 2>.cache/apt.log; then
        tail -n 20 .cache/apt.log >&2
        echo "apt failed; once it works: make $target" >&2
        exit 1
    fi
}

# ttyd with its libraries, which need a C library newer than this machine may have: its own loader starts it. The first
# Debian that has the package is forky.
install_ttyd() {
    place=.cache/ttyd
    [ -x $place/ttyd ] && return 0
    online "ttyd" "make $target"
    echo "make $target fetches ttyd with mmdebstrap into $place"
    rm -rf $place
    mkdir -p $place
    # shellcheck disable=SC2086 # no mirror is no argument
    if ! mmdebstrap --quiet --variant=extract --include=ttyd --aptopt='Acquire::Check-Valid-Until "false"' \
        forky $place/root.tar ${DEBIAN_MIRROR:-} 2>.cache/apt.log ||
        ! tar -C $place --no-same-owner -xf $place/root.tar ./usr/bin ./usr/lib; then
        tail -n 20 .cache/apt.log >&2
        echo "mmdebstrap failed; once it works: make $target" >&2
        exit 1
    fi
    rm $place/root.tar
    cat >$place/ttyd <<'END'
#!/bin/sh
here=${0%/*}
for loader in "$here"/usr/lib/*/ld-linux-*.so.*; do :; done
# One of the libraries looks there for others. What ttyd starts must not: a static program, which takes it away.
export LD_LIBRARY_PATH="${loader%/*}"
exec "$loader" "$here/usr/bin/ttyd" "$@"
END
    chmod +x $place/ttyd
}

[ -d .cache ] || mkdir -p .cache
install_packages "$@"
for group in "$@"; do
    case $group in
    overlay) install_rust_target aarch64-unknown-linux-musl ;;
    rust-target:*) install_rust_target "${group#*:}" ;;
    rust-lint) install_rust_lint ;;
    fuzz) install_fuzz ;;
    moonraker)
        install_python moonraker
        install_python kalico
        ;;
    connect-sdk) install_python connect-sdk ;;
    octoapp-plugin) install_python octoapp-plugin ;;
    peer) install_python peer ;;
    validators) install_python validators ;;
    schemathesis) install_python schemathesis ;;
    axe) install_axe ;;
    nginx) install_nginx ;;
    docker) install_docker ;;
    ttyd) install_ttyd ;;
    esac
done
