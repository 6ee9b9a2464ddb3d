#!/usr/bin/env bash
# Start-up time, peak memory and size of both programs beside kubectl's, in one run: `make bench`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs=${BENCH_RUNS:-31}
kubectl=$(bin/runecluster tool kubectl)

echo "machine: $(nproc) cores, $(uname -sm), $(go env GOVERSION); $runs rounds, medians; ratios round by round"
go run ./hack/bench -runs "$runs" -against 'kubectl version --client' \
  "kubectl version --client=$kubectl version --client" \
  "kubectl --help=$kubectl --help" \
  "kubectl-rune version --client=bin/kubectl-rune version --client" \
  "kubectl-rune --help=bin/kubectl-rune --help" \
  "rune-webhook --version=bin/rune-webhook --version" \
  "rune-webhook --help=bin/rune-webhook --help"
