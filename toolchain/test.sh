#!/bin/sh
# Runs every test there is: what `make test` runs once everything is installed.
#
# Tests of whole programs (tests/peers/ and tests/quick/, here and in crates/) run many at a time on a machine that may be
# slow, and those with real peers depend on what others' programs do: a browser that ends at its start says nothing of
# ours. Up to three of them get a second attempt, by themselves; what failed at the first stays in the output and is named
# at the end. No other test gets one. SECOND_ATTEMPT=no gives none at all.
set -eu

cd "$(dirname "$0")/.."

log=target/test.log
ended=target/test.ended
if [ -t 1 ]; then
    export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-always}"
fi

# Runs cargo with these arguments and keeps a copy of what it prints. Returns what cargo ended with.
tests() {
    mkdir -p target
    {
        code=0
        cargo test --locked --workspace --no-fail-fast "$@" 2>&1 || code=$?
        echo $code >$ended
    } | tee $log
    return "$(cat $ended)"
}

# Each executable lists the names of what failed in it at its end, and cargo the executables.
failed_tests() {
    awk '/^failures:$/ { names = ""; listing = 1; next }
        listing && /^    [^ ]+$/ { names = names " " $1; next }
        /^test result: FAILED/ { printf "%s", names }
        /./ { listing = 0 }' $log
}
failed_executables() {
    sed -n '/^.*error.*: [0-9]* targets\{0,1\} failed:/,$s/^    `\(.*\)`$/\1/p' $log
}

# Whether a second attempt of what failed can show that all is well.
worth_another() {
    executables=$(failed_executables)
    [ "${SECOND_ATTEMPT:-yes}" != no ] && [ -n "$failed" ] && [ "$(echo "$failed" | wc -w)" -le 3 ] &&
        ! echo "$executables" | grep -qvE -- '--test (peers|quick)$' &&
        # One that was killed lists nothing.
        [ "$(grep -c '^test result: FAILED' $log)" -eq "$(echo "$executables" | wc -l)" ]
}

if tests; then
    exit 0
fi
failed=$(failed_tests)
worth_another || exit 1
printf '\na second attempt of what failed above, by itself:%s\n' "$failed"
# The names hold no spaces.
# shellcheck disable=SC2086
if ! tests --test peers --test quick -- --exact $failed; then
    echo "failed twice:$(failed_tests)" >&2
    exit 1
fi
echo "passed at the second attempt only:$failed" >&2
