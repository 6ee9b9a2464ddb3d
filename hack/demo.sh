#!/usr/bin/env bash
# The main job of Rune on a real cluster, unattended: `make demo`.
#
# KEEP=1 leaves the cluster up and says how to use it. Everything that you see is the output of real
# commands against a real API server, kubelet, registry and cosign.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster=${DEMO_CLUSTER:-rune-demo}
work=$(mktemp -d "${TMPDIR:-/tmp}/rune-demo.XXXXXX")
kept=''
# shellcheck source=hack/demo/lib.sh
. hack/demo/lib.sh

finish() {
  local status=$?
  trap - EXIT INT TERM
  if [ "$status" -ne 0 ]; then
    printf '\ndemo: stopped with exit code %d after %d s. Logs: %s\n' "$status" "$SECONDS" "$(field logs 2>/dev/null || true)" >&2
  fi
  if [ -n "${KEEP:-}" ] && [ -f "$work/admin.kubeconfig" ]; then
    kept=1
    how_to_go_on
  else
    bin/runecluster down --name "$cluster" >/dev/null 2>&1 || true
  fi
  if [ -z "$kept" ]; then rm -rf "$work"; fi
  exit "$status"
}

how_to_go_on() {
  cat <<TEXT

The cluster stays up. To use it:
  export PATH=$PWD/bin:$(dirname "$(field kubectl)"):\$PATH
  export KUBECONFIG=$work/alice.kubeconfig        # or bob, or admin
  kubectl rune status deployment/web -n shop-production
  kubectl rune canary deployment/web --image web=registry.localhost:5000/web:v2 -n shop-staging
When you are done: make cluster-down CLUSTER=$cluster
TEXT
}

trap finish EXIT
trap 'exit 130' INT TERM

. hack/demo/story.sh

chapter 'A cluster'
bring_up_cluster
if [ "$(field tier)" != node ] && ! grep -q '"realPods": *true' "$work/cluster.json"; then
  say "This machine cannot run real pods: $(field reason)"
  say 'So what follows is what a control plane alone can show.'
  . hack/demo/without-pods.sh
  tell_without_pods
  exit 0
fi
chapter 'Images: built, pushed and signed'
build_images
chapter 'Rune and two environments'
install_rune
chapter 'What the API server refuses now'
show_refusals
chapter 'Version 1: staging, then production with the approval of a second person'
release_first_version
chapter 'Version 2 as a canary in staging, while users are on it'
canary_second_version
chapter 'Version 2 to production, by the digest that staging runs'
promote_second_version
chapter 'Version 3 fails every second request, and is taken back by itself'
canary_faulty_version
chapter 'Back to version 1 in production'
roll_back
chapter 'What happened here'
show_records
printf '\n%sDone in %d s.%s Users saw 0 failed requests in promote, canary and rollback of good versions.\n' "$bold" "$SECONDS" "$plain"
