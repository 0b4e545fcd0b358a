#!/bin/sh
# Runs the benchmarks of benches/ and crates/octo/benches/: what `make bench` runs. bench.sh [NAME]
set -eu

cd "$(dirname "$0")/.."

toolchain/build-image.sh --again
mkdir -p dist/bench
# ShellCheck would have the argument quoted; without a name there must be none.
# shellcheck disable=SC2086
cargo bench --quiet --locked --bench budgets -- ${1:-} || failed=1
# A part of the benchmark's name is enough, as in benches/.
# shellcheck disable=SC2194
case proxy in
*"${1:-}"*) cargo bench --quiet --locked --package octo --profile tool --bench proxy || failed=1 ;;
esac
# shellcheck disable=SC2194
case sessions in
*"${1:-}"*) cargo bench --quiet --locked --package octo --profile tool --bench sessions || failed=1 ;;
esac
exit "${failed:-0}"
