#!/usr/bin/env bash
# Runs golangci-lint with one configuration on each module that holds code of ours.
#
#   hack/lint.sh [ARGUMENT OF golangci-lint run]...
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
config=$PWD/.golangci.yaml
linter=$(hack/tool.sh golangci-lint)
status=0
for module in . test/cluster; do
  echo "module $module:"
  (cd "$module" && "$linter" run --config "$config" "$@" ./...) || status=1
done
exit $status
