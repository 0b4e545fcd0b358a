#!/bin/sh
# Runs the benchmarks of benches/: what `make bench` runs. bench.sh [NAME]
set -eu

cd "$(dirname "$0")/.."

toolchain/build-image.sh --again
mkdir -p dist/bench
# ShellCheck would have the argument quoted; without a name there must be none.
# shellcheck disable=SC2086
cargo bench --quiet --locked --bench budgets -- ${1:-}
