#!/bin/sh
# Runs the fuzz targets of fuzz/: what `make fuzz` runs. fuzz.sh [TARGET]
#
# SECONDS_EACH is the time for each. Begins with fuzz/corpus/TARGET, which it leaves as it is, and with what former runs
# have found; those inputs are kept in .cache/fuzz/TARGET. Writes dist/fuzz/TARGET.json: the executions and the coverage
# that libFuzzer reports at the end.
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
    echo "there is no fuzz target $only (fuzz/fuzz_targets/NAME.rs)" >&2
    exit 1
fi

# The address sanitizer of Rust's compiler does not understand what another compiler prepares for it in C code, and takes
# a table in zstd for a stack that is gone.
export CFLAGS="${CFLAGS:-} -fno-sanitize=all"

mkdir -p dist/fuzz
failed=
for name in $targets; do
    found=.cache/fuzz/$name
    log=dist/fuzz/$name.log
    mkdir -p "$found"
    echo "fuzzing $name for $seconds s"
    state=passed
    # A single input must not take longer than 10 s, nor 64 MB at once.
    cargo +nightly fuzz run --target-dir target/fuzz "$name" "$found" "fuzz/corpus/$name" -- \
        "-max_total_time=$seconds" -timeout=10 -malloc_limit_mb=64 -print_final_stats=1 >"$log" 2>&1 || state=failed
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    coverage=$(sed -n 's/^#[0-9]*.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    # Without the time that building took.
    lasted=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second(s)$/\1/p' "$log" | tail -n 1)
    rate=0
    if [ "${lasted:-0}" -gt 0 ]; then
        rate=$((${executions:-0} / lasted))
    fi
    printf '{"schema": 1, "target": "%s", "seconds": %s, "executions": %s, "executions_per_second": %s, "coverage": %s, "result": "%s"}\n' \
        "$name" "${lasted:-0}" "${executions:-0}" $rate "${coverage:-0}" $state >"dist/fuzz/$name.json"
    echo "$name: $state, ${executions:-0} executions in ${lasted:-0} s, coverage ${coverage:-0}"
    if [ $state = failed ]; then
        tail -n 30 "$log" >&2
        failed="$failed $name"
    fi
done
if [ -n "$failed" ]; then
    echo "these fuzz targets failed:$failed" >&2
    exit 1
fi
