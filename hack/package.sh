#!/usr/bin/env bash
# Cross-compiles the plugin for every platform that krew knows and writes dist/: one archive each, and
# the krew manifest that names them.
#
#   hack/package.sh VERSION LDFLAGS
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$1 ldflags=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
targets=()
for platform in {linux,darwin,windows}/{amd64,arm64}; do
  binary=$scratch/${platform/\//-}
  echo "building for $platform" >&2
  GOOS=${platform%/*} GOARCH=${platform#*/} go build -ldflags="$ldflags" -o "$binary" ./cmd/kubectl-rune
  targets+=("$platform=$binary")
done
go run ./hack/krewpackage -version "$version" -out dist "${targets[@]}"
