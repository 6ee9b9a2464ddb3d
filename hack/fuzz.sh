#!/usr/bin/env bash
# Run every fuzzer of what judges untrusted objects, one after another: `make fuzz FUZZTIME=10m`. A failure
# leaves its input below testdata/fuzz of the package, where ordinary tests repeat it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzztime=${FUZZTIME:-3s}
for package in ./pkg/policy ./pkg/policy/image ./pkg/policy/rawjson ./pkg/admission ./pkg/webhook; do
  fuzzers=$(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
  for fuzzer in $fuzzers; do
    echo "== $package $fuzzer, $fuzztime"
    go test "$package" -run '^$' -fuzz "^$fuzzer\$" -fuzztime "$fuzztime"
  done
done
