#!/bin/sh
# Runs the fuzz targets of fuzz/: what `make fuzz` runs. fuzz.sh [TARGET]
#
# SECONDS_EACH is the time for each. Writes dist/fuzz/TARGET.json with the executions and the coverage that libFuzzer
# reports at the end. Needs cargo-fuzz and a nightly toolchain, and says so where they are missing.
set -eu

cd "$(dirname "$0")/.."

seconds=${SECONDS_EACH:-600}
only=${1:-}

targets=
for source in fuzz/fuzz_targets/*.rs; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .rs)
    if [ -z "$only" ] || [ "$only" = "$name" ]; then
        targets="$targets $name"
    fi
done
if [ -z "$targets" ]; then
    echo "there is no fuzz target ${only:-yet} (fuzz/fuzz_targets/NAME.rs)" >&2
    exit 1
fi
if ! command -v cargo-fuzz >/dev/null 2>&1; then
    echo 'make fuzz needs cargo-fuzz: cargo install --locked cargo-fuzz' >&2
    exit 1
fi
if ! rustup run nightly rustc --version >/dev/null 2>&1; then
    echo 'make fuzz needs a nightly compiler: rustup toolchain install nightly' >&2
    exit 1
fi

mkdir -p dist/fuzz
failed=
for name in $targets; do
    log=dist/fuzz/$name.log
    echo "fuzzing $name for $seconds s"
    state=passed
    cargo +nightly fuzz run "$name" -- "-max_total_time=$seconds" -print_final_stats=1 >"$log" 2>&1 || state=failed
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    coverage=$(sed -n 's/^#[0-9]*.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '{"schema": 1, "target": "%s", "seconds": %s, "executions": %s, "coverage": %s, "result": "%s"}\n' \
        "$name" "$seconds" "${executions:-0}" "${coverage:-0}" $state >"dist/fuzz/$name.json"
    echo "$name: $state, ${executions:-0} executions, coverage ${coverage:-0}"
    if [ $state = failed ]; then
        tail -n 30 "$log" >&2
        failed="$failed $name"
    fi
done
if [ -n "$failed" ]; then
    echo "these fuzz targets failed:$failed" >&2
    exit 1
fi
