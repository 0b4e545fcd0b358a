#!/bin/sh
# Builds the printer program as a static executable: 01-build-program.sh [TRIPLE]
#
# The result is .cache/program/TRIPLE/octobridge, with the list of its crates in the section .dep-v0, where scanners
# look, and beside it octobridge.symbols, the same program before its symbols were stripped, for a debugger.
# PROGRAM_DIR names another directory.
#
# CROSS chooses the way: `native` (the Rust target, rust-lld, Debian's gcc for the C in ring), `cross` (the same in the
# container of Cross.toml), or `auto`: cross if a container engine can run it here, else native.
#
# Both ways compile the same source with the same lock file and the same flags, and no path of this machine gets into
# the program: equal tool versions give equal bytes, whoever builds, and wherever.
set -eu

cd "$(dirname "$0")/.."

triple=${1:-aarch64-unknown-linux-musl}
cross=${CROSS:-auto}
cross_version=0.2.5
result=${PROGRAM_DIR:-.cache/program/$triple}

case $cross in
auto | cross | native) ;;
*)
    echo "CROSS=$cross: it must be auto, cross or native" >&2
    exit 2
    ;;
esac

# Settings of the person who builds must not change the program.
for name in $(env | sed -n 's/^\(\(CARGO_PROFILE\|CARGO_TARGET_[A-Z0-9_]*_\|CARGO_BUILD_[D-IK-Z]\|CFLAGS\|TARGET_\|HOST_\|CC_\|AR_\)[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
unset RUSTFLAGS CFLAGS CPPFLAGS CRATE_CC_NO_DEFAULTS RUSTC_BOOTSTRAP
# Under `cargo test` cargo's own variables name the crate of the test. ring would be built anew for them, and once more
# by the next `make overlay`.
for name in $(env | sed -n 's/^\(CARGO_\(PKG\|MANIFEST\)_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

# It writes down the crates of the program. Before the flags below, which are not for this machine.
octofw=${OCTOFW:-}
if [ -z "$octofw" ]; then
    cargo build --quiet --locked --profile tool --package octofw
    octofw=$(realpath "${CARGO_TARGET_DIR:-target}/tool/octofw")
fi

sysroot=$(rustc --print sysroot)
versions=$(rustc -vV)
commit=$(echo "$versions" | sed -n 's/^commit-hash: //p')
host=$(echo "$versions" | sed -n 's/^host: //p')
cargo_home=${CARGO_HOME:-${HOME:?}/.cargo}

case $triple in
aarch64-*) compiler=aarch64-linux-gnu-gcc ;;
"$(uname -m)"-*) compiler=gcc ;;
*)
    echo "no C compiler is known for $triple" >&2
    exit 2
    ;;
esac
underscored=$(echo "$triple" | tr - _)

# flags SYSROOT CARGO_HOME PROJECT TARGET_DIR: sets what cargo and the C compiler get. The paths are those that the
# compiler sees; they become /rust, /cargo and /src in messages of the program.
flags() {
    us=$(printf '\037')
    # The last prefix that matches wins. The library's own sources appear where the rust-src component is installed.
    CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$2=/cargo${us}--remap-path-prefix=$1=/rust"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${us}--remap-path-prefix=$1/lib/rustlib/src/rust=/rustc/$commit"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${us}--remap-path-prefix=$3=/src"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${us}--remap-path-prefix=$4=/src/target${us}-Clinker=rust-lld${us}-Clink-arg=--icf=all${us}-Clink-arg=--no-eh-frame-hdr${us}-Clink-arg=-Ttoolchain/no-unwind.ld"
    # Nothing unwinds through C. Of equal functions one is enough: the linker folds them above.
    c_flags="-fno-asynchronous-unwind-tables -fno-unwind-tables '-ffile-prefix-map=$2=/cargo' '-ffile-prefix-map=$3=/src' '-ffile-prefix-map=$4=/src/target'"
    export CARGO_ENCODED_RUSTFLAGS
    export "CC_$underscored=$compiler" "CFLAGS_$underscored=$c_flags" CC_SHELL_ESCAPED_FLAGS=1
}

CARGO_INCREMENTAL=0
SOURCE_DATE_EPOCH=$(toolchain/source-date.sh)
export CARGO_INCREMENTAL SOURCE_DATE_EPOCH

# Symbols are kept here and stripped below, so that they can be had without a second build.
set -- build --release --locked --target "$triple" --package octobridge --bin octobridge \
    --config 'profile.release.strip="none"'

# keep PROGRAM WAY COMPILER...: puts a freshly built program into place, stripped; leaves an unchanged one alone.
# COMPILER prints the version of the C compiler, for the manifest of the image.
keep() {
    built=$1
    way=$2
    shift 2
    mkdir -p "$result"
    if ! cmp -s "$built" "$result/octobridge.symbols" || [ ! -e "$result/octobridge" ] ||
        [ ! -e "$result/octobridge.dep-v0" ]; then
        # It needs the compiler's own LLVM library, and does not find it by itself.
        "$octofw" sbom program --package octobridge --target "$triple" --out "$result/octobridge.dep-v0" >/dev/null
        LD_LIBRARY_PATH="$sysroot/lib" "$sysroot/lib/rustlib/$host/bin/rust-objcopy" --strip-all \
            --add-section ".dep-v0=$result/octobridge.dep-v0" "$built" "$result/octobridge.new"
        cp "$built" "$result/octobridge.symbols"
        chmod 755 "$result/octobridge.new"
        mv "$result/octobridge.new" "$result/octobridge"
    fi
    {
        echo "rustc=$(echo "$versions" | head -n 1)"
        echo "$compiler=$("$@" --version | head -n 1)"
    } >"$result/tools"
    echo "$way" >"$result/way"
}

build_natively() {
    toolchain/install.sh "${MAKE_TARGET:-overlay}" overlay "rust-target:$triple"
    target_dir=${CARGO_TARGET_DIR:-$PWD/target}
    flags "$sysroot" "$cargo_home" "$PWD" "$target_dir"
    cargo "$@"
    keep "$target_dir/$triple/release/octobridge" native "$compiler"
}

# Everything that decides what comes out of the container; when it is unchanged, no container need be started.
fingerprint() {
    sed -e 's/^[^:]*://' -e 's# /project/# #g' "target/cross/$triple/release/octobridge.d" 2>/dev/null |
        tr ' ' '\n' | grep . | LC_ALL=C sort | xargs sha256sum 2>&1
    sha256sum Cargo.toml Cargo.lock Cross.toml toolchain/cross/Dockerfile pre-scripts/01-build-program.sh \
        "target/cross/$triple/release/octobridge" 2>&1
    echo "$commit $cross_version"
}

# Prepares everything that the container needs. Fails with the reason on standard error.
prepare_cross() {
    assignments=$(toolchain/container-engine.sh) || return 1
    toolchain/install.sh "${MAKE_TARGET:-overlay}" cross overlay "rust-target:$triple" || return 1
    eval "$assignments"
    export engine
    toolchain/container-base.sh || return 1
    if ! [ -x .cache/cross/bin/cross ]; then
        echo "installing cross $cross_version into .cache/cross"
        CARGO_TARGET_DIR=.cache/cross/target cargo install --quiet --debug --locked --root .cache/cross \
            --version $cross_version cross || return 1
        rm -rf .cache/cross/target
    fi
}

# The image that cross built from Cross.toml for this clone.
image_of_cross() {
    "$engine" images --quiet --filter "label=org.cross-rs.workspace_root=$PWD" | head -n 1
}

build_in_container() {
    # Fetched out here, where proxies and certificates of this machine are known; the compilers need no network. The
    # package archive for the image is reached through the host's network, which works without a bridge.
    cargo fetch --quiet --locked
    CROSS_CONTAINER_ENGINE=$engine
    CROSS_BUILD_OPTS=--network=host
    CROSS_CONTAINER_OPTS=--network=none
    CARGO_NET_OFFLINE=true
    export CARGO_NET_OFFLINE
    # cross must neither change the toolchain (see toolchain/cross/rustup) nor write outside the clone.
    CROSS_CUSTOM_TOOLCHAIN=1
    XARGO_HOME=$PWD/.cache/cross/xargo
    CARGO_TARGET_DIR=$PWD/target/cross
    export CROSS_CONTAINER_ENGINE CROSS_BUILD_OPTS CROSS_CONTAINER_OPTS CROSS_CUSTOM_TOOLCHAIN XARGO_HOME CARGO_TARGET_DIR
    mkdir -p "$XARGO_HOME" "$CARGO_TARGET_DIR"
    flags /rust /cargo /project /target
    PATH=$PWD/toolchain/cross:$PWD/.cache/cross/bin:$PATH cross "$@"
    keep "$CARGO_TARGET_DIR/$triple/release/octobridge" cross \
        "$engine" run --rm --network=none "$(image_of_cross)" "$compiler"
    fingerprint >"$result/cross-inputs"
}

if [ "$cross" != native ] && [ "$(cat "$result/way" 2>/dev/null)" = cross ] &&
    [ "$(fingerprint)" = "$(cat "$result/cross-inputs" 2>/dev/null)" ]; then
    exit 0
fi
case $cross in
native) build_natively "$@" ;;
cross)
    prepare_cross
    build_in_container "$@"
    ;;
auto)
    if ! command -v podman >/dev/null 2>&1 && ! command -v docker >/dev/null 2>&1; then
        build_natively "$@"
    elif prepare_cross; then
        build_in_container "$@"
    else
        echo "building without a container instead (CROSS=native)"
        build_natively "$@"
    fi
    ;;
esac
