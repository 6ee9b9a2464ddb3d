#!/usr/bin/env bash
# In one run, `make bench`: start-up time, peak memory and size of both programs beside kubectl's, then
# what an admission costs beside the least that a webhook can do, then what signatures add to it.
# docs/performance.md says how to read it.
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

floor=$(mktemp)
trap 'rm -f "$floor"' EXIT
go build -o "$floor" ./hack/bench/admission/floor
echo
echo "admission: reviews over HTTP/2 and TLS, 8 at a time; medians of ${BENCH_ROUNDS:-9} rounds; ratios round by round"
go run ./hack/bench/admission -rounds "${BENCH_ROUNDS:-9}" -floor "$floor" -webhook bin/rune-webhook
echo
echo "signatures: a registry on loopback, 8 reviews at a time where nothing else is said"
go run ./hack/bench/admission -signatures -rounds "${BENCH_ROUNDS:-9}" -floor "$floor" -webhook bin/rune-webhook
