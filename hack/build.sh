#!/usr/bin/env bash
# Builds programs into bin/.
#
#   hack/build.sh LDFLAGS NAME=PACKAGE|MODULE_DIRECTORY...
#
# A directory that holds a go.mod is built as a module of its own, so that what it requires never
# enters the main module.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
ldflags=$1
shift
mkdir -p bin
for target in "$@"; do
  name=${target%%=*} package=${target#*=} module=.
  if [ -f "$package/go.mod" ]; then module=$package package=.; fi
  if [ ! -e "bin/$name" ]; then
    echo "building bin/$name; with an empty build cache this takes some minutes" >&2
  fi
  go build -C "$module" -ldflags="$ldflags" -o "$PWD/bin/$name" "$package"
done
