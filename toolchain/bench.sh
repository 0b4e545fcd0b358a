#!/bin/sh
# Runs every benchmark: what `make bench` runs. A benchmark is benches/NAME/main.rs with a `[[bench]]` entry of that
# name in Cargo.toml; it writes dist/bench/NAME.json, prints its rows of the table, and fails if it cannot measure.
set -eu

cd "$(dirname "$0")/.."

names=
for main in benches/*/main.rs; do
    [ -f "$main" ] || continue
    name=${main#benches/}
    names="$names ${name%/main.rs}"
done
if [ -z "$names" ]; then
    echo 'there is no benchmark yet (benches/NAME/main.rs)' >&2
    exit 1
fi

toolchain/build-image.sh --again
mkdir -p dist/bench
failed=
for name in $names; do
    cargo bench --quiet --locked --bench "$name" || failed="$failed $name"
done
if [ -n "$failed" ]; then
    echo "these benchmarks failed:$failed" >&2
    exit 1
fi
