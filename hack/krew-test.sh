#!/usr/bin/env bash
# Packs the built plugin for this platform, validates the krew manifest, installs the archive with real
# krew into a KREW_ROOT of its own without a network, and runs it through kubectl.
#
#   VERSION=v0.1.0 hack/krew-test.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:?set VERSION to the version that bin/kubectl-rune was built with}
platform=$(go env GOOS)/$(go env GOARCH)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

krew=$(hack/tool.sh krew)
validate=$(hack/tool.sh validate-krew-manifest)
kubectl=$(command -v kubectl || bin/runecluster tool kubectl)

go run ./hack/krewpackage -version "$version" -out "$scratch/dist" "$platform=bin/kubectl-rune" >"$scratch/written"
archive=$(head -n 1 "$scratch/written")

# krew writes to KREW_ROOT only, asks GitHub for newer versions of itself unless told not to, and
# kubectl must not find a plugin or a cluster of the developer's.
export KREW_ROOT=$scratch/krew KREW_NO_UPGRADE_CHECK=1 HOME=$scratch KUBECONFIG=/dev/null
export PATH=$KREW_ROOT/bin:$PATH

"$validate" -manifest "$scratch/dist/rune.yaml" -skip-install
"$krew" install --manifest="$scratch/dist/rune.yaml" --archive="$archive" </dev/null

found=$("$kubectl" plugin list 2>/dev/null | grep -F "$KREW_ROOT/bin/kubectl-rune") || {
  echo "krew-test: kubectl does not find the installed plugin in $KREW_ROOT/bin" >&2
  exit 1
}
echo "kubectl finds $(basename "$found")"
"$kubectl" rune version --client
stamped=$("$kubectl" rune version --client -o json | tr -d '[:space:]')
case $stamped in
*"\"version\":\"$version\""*) ;;
*)
  echo "krew-test: kubectl rune version --client -o json does not say version $version: $stamped" >&2
  exit 1
  ;;
esac
license=$(find "$KREW_ROOT/store/rune" -name LICENSE)
cmp "$license" LICENSE # krew demands that it comes along
echo "krew-test: ok, $version on $platform"
