#!/usr/bin/env bash
# Runs one suite of Go tests and reports what was skipped.
#
#   hack/gotest.sh SUITE MODULE_DIRECTORY ARGUMENT OF go test...
#
# The events are kept in .test/SUITE.json. A suite that ran no test fails, and so does, with CI=true,
# one that skipped any: a test that CI does not run protects nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=$1 module=$2
shift 2
gotestsum=$("$root/hack/tool.sh" gotestsum)
events=$root/.test/$suite.json
mkdir -p "$root/.test"
cd "$root/$module"
echo "--- $suite tests"
"$gotestsum" --format "${GOTEST_FORMAT:-pkgname-and-test-fails}" --format-hide-empty-pkg \
  --jsonfile "$events" -- "$@"
go run -C "$root" ./hack/testreport "$events"
