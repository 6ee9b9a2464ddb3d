#!/usr/bin/env bash
# Checks everything about the sources that needs no test run, changes nothing, and names every problem
# with the command that mends it.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
problems=0

# check TITLE REMEDY COMMAND... runs one check; what it prints is shown when it fails.
check() {
  local title=$1 remedy=$2 begun=$SECONDS
  shift 2
  if "$@" >"$scratch/out" 2>&1; then
    printf '  ok    %-34s %4d s\n' "$title" $((SECONDS - begun))
  else
    printf '  FAIL  %-34s %4d s   mend: %s\n' "$title" $((SECONDS - begun)) "$remedy"
    sed 's/^/        /' "$scratch/out"
    problems=$((problems + 1))
  fi
}

# Every module of the checkout, the nested ones too.
modules() {
  find . \( -name .git -o -name bin -o -name testdata -o -name node_modules \) -prune -o \
    -name go.mod -exec dirname {} \; | LC_ALL=C sort
}

sources() {
  find . \( -name .git -o -name bin -o -name node_modules \) -prune -o -name '*.go' -print
}

formatted() {
  local unformatted
  unformatted=$(sources | xargs gofmt -s -l)
  [ -z "$unformatted" ] || { echo "$unformatted"; return 1; }
}

generated() {
  hack/generate.sh "$scratch/deepcopy" "$scratch/crds" || return 1
  local status=0
  diff -u pkg/api/v1alpha1/zz_generated.deepcopy.go "$scratch/deepcopy/zz_generated.deepcopy.go" || status=1
  diff -ru manifests/crds "$scratch/crds" || status=1
  return $status
}

# A module whose requirements cannot be tidied strictly (a dependency's own tests do not resolve)
# says so in its go.mod by a comment with the words "tidy -e".
tidy() {
  local flags=(-diff)
  if grep -q 'tidy -e' "$1/go.mod"; then flags+=(-e); fi
  GOFLAGS='' go -C "$1" mod tidy "${flags[@]}"
}

scripts() {
  local script status=0
  for script in .ci/run hack/*.sh hack/*/*.sh; do bash -n "$script" || status=1; done
  if command -v shellcheck >/dev/null; then
    shellcheck --external-sources --severity=warning .ci/run hack/*.sh || status=1
  fi
  return $status
}

workplace() {
  # Paths of a single machine have no meaning for anyone else.
  if git grep -nE '(^|[^[:alnum:]._/-])/(work|home|Users)/[a-z]' -- . ':!*.sum' ':!hack/verify.sh'; then return 1; fi
}

echo "verifying"
check "formatting" "gofmt -s -w FILE" formatted
check "shell scripts" "see the message" scripts
check "no path of one machine" "remove the path" workplace
check "generated code is current" "make generate" generated
for module in $(modules); do
  check "go.mod of ${module}" "go -C ${module} mod tidy" tidy "$module"
done
check "vet" "see the message" go vet -tags e2e,sigstore ./...
if [ -f test/cluster/go.mod ]; then
  check "vet of test/cluster" "see the message" go -C test/cluster vet -tags cluster ./...
fi
check "lint" "make lint ARGS=--fix, or see the message" hack/lint.sh
if [ "$problems" -gt 0 ]; then
  echo "$problems of the checks failed"
  exit 1
fi
