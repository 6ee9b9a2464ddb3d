#!/usr/bin/env bash
# Prints the path of a pinned tool, building it on first use.
#
#   hack/tool.sh golangci-lint
#
# The tools and their versions are the `tool` lines of hack/tools/go.mod and hack/tools/lint/go.mod.
# A binary is kept outside of the checkout under a hash of what it was built from, so a second
# checkout shares it, a version bump rebuilds it, and a warm run links nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${1:?usage: hack/tool.sh NAME}
cache=${RUNE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-rune}/tools

module=
for dir in "$here/tools" "$here/tools/lint"; do
  package=$(awk -v want="/$name" '
    $1 == "tool" && $2 == "(" { inside = 1; next }
    inside && $1 == ")"       { inside = 0 }
    inside                    { candidate = $1 }
    $1 == "tool"              { candidate = $2 }
    candidate != "" && substr(candidate, length(candidate) - length(want) + 1) == want { print candidate; exit }
  ' "$dir/go.mod")
  if [ -n "$package" ]; then module=$dir; break; fi
done
if [ -z "$module" ]; then
  echo "hack/tool.sh: no tool line for \"$name\" in hack/tools/go.mod or hack/tools/lint/go.mod" >&2
  exit 1
fi

digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
key=$({ cat "$module/go.mod" "$module/go.sum"; go env GOVERSION GOOS GOARCH; } | digest | cut -c1-16)
binary=$cache/$key/$name
if [ -x "$binary" ]; then echo "$binary"; exit 0; fi

mkdir -p "$cache/$key"
if command -v flock >/dev/null; then
  exec 9>"$cache/$key/$name.lock"
  flock 9
  if [ -x "$binary" ]; then echo "$binary"; exit 0; fi
fi
echo "building $name once, with empty caches in one to four minutes" >&2
started=$SECONDS
# GOFLAGS of the caller may hold flags of the main module (-tags, -mod) that have no meaning here.
GOFLAGS='' GOWORK=off CGO_ENABLED=0 go build -C "$module" -trimpath -buildvcs=false -ldflags='-s -w' -o "$binary.$$" "$package" >&2 9>&-
mv "$binary.$$" "$binary"
echo "built $name in $((SECONDS - started)) s: $binary" >&2
echo "$binary"
