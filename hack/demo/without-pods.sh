# What the demo can show on a control plane with fake nodes; sourced by hack/demo.sh.
# shellcheck shell=bash disable=SC2154

# digest VERSION: an image reference by digest; nothing is pulled on fake nodes.
digest() { printf 'registry.example.com/web@sha256:%064d' "$1"; }

# without_registry FILE: a manifest of the demo, less the rules and tests that need images and traffic.
without_registry() {
  sed -e '/signatures: {}/d' -e '/images: {pin/d' -e '/smokeTests:/d' -e '/- {name: .*path:/d' \
    -e "s|registry.localhost:5000/web:v1|$(digest 1)|" "$1"
}

# free_port: a port of this machine that nobody listens on.
free_port() {
  local port
  for port in $(seq 19443 19499); do
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  echo 'demo: no free port from 19443 to 19499' >&2
  return 1
}

start_webhook() {
  local port
  port=$(free_port)
  bin/rune-webhook --kubeconfig "$work/admin.kubeconfig" --host 127.0.0.1 --url "https://127.0.0.1:$port" >"$work/webhook.log" 2>&1 &
  webhook=$!
  say "rune-webhook runs as a process of this machine (log: $work/webhook.log)."
}

stop_webhook() {
  kill "$webhook" 2>/dev/null || true
  wait "$webhook" 2>/dev/null || true
}

# promote_with_approval RELEASE: Alice asks, Bob agrees, Alice goes on.
promote_with_approval() {
  expect 3 alice kubectl rune promote deployment/web --to production
  expect 4 alice kubectl rune approve "release/$1" -n shop-production
  expect 0 bob kubectl rune approve "release/$1" -n shop-production
  expect 0 alice kubectl rune resume "release/$1" -n shop-production
}

tell_without_pods() {
  local user
  for user in alice bob; do
    cp "$(bin/runecluster user "$user" --name "$cluster")" "$work/$user.kubeconfig"
  done
  chapter 'Rune and two environments, on fake nodes'
  as admin kubectl apply --server-side -f manifests/crds -f manifests/base/rbac-people.yaml
  start_webhook
  without_registry hack/demo/environments.yaml >"$work/environments.yaml"
  as admin kubectl apply -f hack/demo/namespaces.yaml -f hack/demo/access.yaml -f "$work/environments.yaml"
  as admin kubectl wait --for=condition=Enforced environment --all --timeout=60s

  chapter 'What the API server refuses now'
  expect 1 admin kubectl apply -n shop-production -f hack/demo/refused/unlimited.yaml
  expect 1 admin kubectl apply -n shop-production -f hack/demo/refused/privileged.yaml

  chapter 'Staging, then production with the approval of a second person'
  without_registry hack/demo/web.yaml >"$work/web.yaml"
  as admin kubectl apply -n shop-staging -f "$work/web.yaml"
  as admin kubectl rollout status -n shop-staging deployment/web --timeout=60s
  promote_with_approval web-1

  chapter 'A canary, and the way back'
  expect 0 alice kubectl rune canary deployment/web -n shop-staging --image "web=$(digest 2)"
  promote_with_approval web-2
  expect 0 alice kubectl rune rollback deployment/web -n shop-production --yes
  show_records
  stop_webhook
  printf '\n%sDone in %d s.%s Not shown here: signatures, traffic and smoke tests, which need pods that run.\n' "$bold" "$SECONDS" "$plain"
}
