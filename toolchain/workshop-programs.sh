#!/bin/sh
# Builds what runs inside a workshop: workshop-programs.sh [all|session]
#
# ARCH is the processor, x86_64 or aarch64, by default this machine's. The programs go to .cache/workshop/ARCH/: octo-init,
# octo-files, octo-terminal, and octo-stand-in-agent, which only tests use, all static; and octofw, which is not, since
# fakeroot has no effect on static programs: it runs on a Debian as new as this machine's, or newer. With `session` octofw,
# which takes longest, is left out. No path of this machine gets into them: equal tools give equal bytes.
set -eu

cd "$(dirname "$0")/.."

what=${1:-all}
arch=${ARCH:-$(uname -m)}
case $arch in
x86_64) compiler=x86_64-linux-gnu-gcc ;;
aarch64) compiler=aarch64-linux-gnu-gcc ;;
*)
    echo "ARCH=$arch: it must be x86_64 or aarch64" >&2
    exit 2
    ;;
esac
command -v "$compiler" >/dev/null 2>&1 || [ "$arch" != "$(uname -m)" ] || compiler=gcc

# Settings of the person who builds must not change the programs, nor may those of a `cargo test` that runs this.
for name in $(env | sed -n 's/^\(\(CARGO_PROFILE\|CARGO_TARGET_[A-Z0-9_]*_\|CARGO_BUILD_[D-IK-Z]\|CARGO_PKG\|CARGO_MANIFEST\|CFLAGS\|TARGET_\|HOST_\|CC_\|AR_\)[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
unset RUSTFLAGS CFLAGS CPPFLAGS CRATE_CC_NO_DEFAULTS RUSTC_BOOTSTRAP

toolchain/install.sh "${MAKE_TARGET:-workshop}" workshop "rust-target:$arch-unknown-linux-musl"
[ "$what" = session ] || toolchain/install.sh "${MAKE_TARGET:-workshop}" "rust-target:$arch-unknown-linux-gnu"

sysroot=$(rustc --print sysroot)
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
cargo_home=${CARGO_HOME:-${HOME:?}/.cargo}
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
CARGO_INCREMENTAL=0
SOURCE_DATE_EPOCH=$(toolchain/source-date.sh)
export CARGO_INCREMENTAL SOURCE_DATE_EPOCH
place=.cache/workshop/$arch
mkdir -p "$place"
# Tests ask for the programs at one time.
exec 8>"$place.lock"
flock 8

# build TRIPLE LINKER PACKAGE PROGRAM...: builds the programs of a package and puts them into place.
build() {
    triple=$1
    linker=$2
    package=$3
    shift 3
    us=$(printf '\037')
    # The last prefix that matches wins.
    CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo${us}--remap-path-prefix=$sysroot=/rust"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${us}--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${us}--remap-path-prefix=$PWD=/src"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${us}--remap-path-prefix=$target_dir=/src/target${us}-Clinker=$linker"
    c_flags="'-ffile-prefix-map=$cargo_home=/cargo' '-ffile-prefix-map=$PWD=/src' '-ffile-prefix-map=$target_dir=/src/target'"
    underscored=$(echo "$triple" | tr - _)
    export CARGO_ENCODED_RUSTFLAGS
    export "CC_$underscored=$compiler" "CFLAGS_$underscored=$c_flags" CC_SHELL_ESCAPED_FLAGS=1
    cargo build --quiet --locked --profile tool --bins --target "$triple" --package "$package" 8>&-
    for program in "$@"; do
        built=$target_dir/$triple/tool/$program
        cmp -s "$built" "$place/$program" ||
            { cp "$built" "$place/$program.new" && mv "$place/$program.new" "$place/$program"; }
    done
}

build "$arch-unknown-linux-musl" rust-lld octo-session octo-init octo-files octo-terminal octo-stand-in-agent
[ "$what" = session ] || build "$arch-unknown-linux-gnu" "$compiler" octofw octofw
