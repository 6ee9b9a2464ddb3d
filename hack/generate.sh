#!/usr/bin/env bash
# Generates deepcopy functions and CRDs from the API types.
#
#   hack/generate.sh DEEPCOPY_DIRECTORY CRD_DIRECTORY
#
# `make verify` calls it with two empty directories and compares.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
deepcopy=$1 crds=$2
mkdir -p "$deepcopy" "$crds"
"$(hack/tool.sh controller-gen)" \
  object "output:object:dir=$deepcopy" \
  crd:ignoreUnexportedFields=true "output:crd:dir=$crds" \
  paths=./pkg/api/...
