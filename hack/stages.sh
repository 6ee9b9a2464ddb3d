#!/usr/bin/env bash
# Runs make targets one after another, prints how long each took, and sums the tests up.
#
#   hack/stages.sh TARGET...
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
rm -rf .test
report=()
started=$SECONDS
summary() {
  status=$?
  echo
  echo "stage                  seconds"
  if [ ${#report[@]} -gt 0 ]; then printf '%s\n' "${report[@]}"; fi
  printf '%-22s %7d\n' total "$((SECONDS - started))"
  if compgen -G '.test/*.json' >/dev/null; then
    go run ./hack/testreport --totals .test/*.json || status=1
  fi
  exit "$status"
}
trap summary EXIT
for stage in "$@"; do
  echo "==> $stage"
  begun=$SECONDS result=ok
  "${MAKE:-make}" "$stage" || result=FAILED
  report+=("$(printf '%-22s %7d  %s' "$stage" "$((SECONDS - begun))" "$result")")
  if [ "$result" = FAILED ]; then exit 1; fi
done
