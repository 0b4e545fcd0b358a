#!/bin/sh
# Checks format, code, shell scripts and text: what `make lint` runs. Runs every check, then fails if one failed.
set -eu

cd "$(dirname "$0")/.."
failed=

check() {
    what=$1
    shift
    if "$@"; then
        echo "ok      $what"
    else
        echo "FAILED  $what"
        failed=yes
    fi
}

tracked() {
    git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# Shell scripts are known by their first line, since those of the printer have no suffix. What fuzzing begins with is no
# script, even where it looks like one.
shell_scripts() {
    tracked | grep -v '^fuzz/corpus/' | while read -r file; do
        case $(head -c 40 "$file" | head -n 1 | tr -d '\0') in
        '#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'* | '#!/usr/bin/env sh'*) echo "$file" ;;
        esac
    done
}

check_shell() {
    # shellcheck disable=SC2046 # one word per file: no name in this repository has a space
    shellcheck $(shell_scripts)
}

prose() {
    tracked '*.md' '*.txt' '*.toml' '*.rs' '*.sh' '*.yaml' Makefile Dockerfile | grep -v '^tests/vectors/'
}

# Text that a printer or a build runs must not have the line ends of another system, nor blanks at the end of a line.
check_text() {
    # rustfmt looks after the blanks of Rust code, and knows which of them belong to a string.
    bad=$(
        prose | xargs grep -l "$(printf '\r')\$" || true
        prose | grep -v '\.rs$' | xargs grep -l '[[:blank:]]$' || true
    )
    if [ -n "$bad" ]; then
        echo "carriage returns, or blanks at the end of a line, in:" "$bad"
        return 1
    fi
}

check_spelling() {
    prose | grep -v requirements.txt | xargs codespell --quiet-level 2 --ignore-words toolchain/codespell-ignore
}

# The overlay as pre-scripts/02-lay-out-overlay.sh lays it out, but without the program, which lint leaves to
# `octofw check-program`.
check_overlay() {
    laid=$(mktemp -d)
    cp -R overlay "$laid/root"
    mv "$laid/root/octofw-lint.toml" "$laid/root/README.md" "$laid/"
    cp -R scripts "$laid/scripts"
    code=0
    cargo run --quiet --locked --profile tool --package octofw -- lint "$laid" || code=$?
    rm -rf "$laid"
    return $code
}

check 'cargo fmt' cargo fmt --all --check
check 'cargo clippy' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
check 'shellcheck' check_shell
check 'octofw lint' check_overlay
check 'line ends' check_text
check 'codespell' check_spelling
[ -z "$failed" ]
