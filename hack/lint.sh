#!/usr/bin/env bash
# Runs golangci-lint with one configuration on each module that holds code of ours.
#
#   hack/lint.sh [ARGUMENT OF golangci-lint run]...
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
config=$PWD/.golangci.yaml
linter=$(hack/tool.sh golangci-lint)
for module in . test/cluster; do
  if [ -f "$module/go.mod" ]; then
    (cd "$module" && "$linter" run --config "$config" "$@" ./...)
  fi
done
