#!/usr/bin/env bash
# Run every fuzzer of what judges untrusted objects, one after another: `make fuzz FUZZTIME=10m`. A failure
# leaves its input below testdata/fuzz of the package, where ordinary tests repeat it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzztime=${FUZZTIME:-3s}
packages=(
  ./pkg/policy ./pkg/policy/image ./pkg/policy/expression ./pkg/policy/proof ./pkg/policy/rawjson
  ./pkg/admission ./pkg/webhook ./pkg/webhook/verdictstore
  ./pkg/signature/registry ./pkg/signature/verification ./pkg/signature/verdict
)
for package in "${packages[@]}"; do
  fuzzers=$(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
  for fuzzer in $fuzzers; do
    echo "== $package $fuzzer, $fuzztime"
    go test "$package" -run '^$' -fuzz "^$fuzzer\$" -fuzztime "$fuzztime"
  done
done
