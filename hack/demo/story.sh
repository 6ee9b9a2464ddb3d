# The chapters of the demo; sourced by hack/demo.sh.
# shellcheck shell=bash disable=SC2154

registry=registry.localhost:5000

bring_up_cluster() {
  say 'A real Kubernetes on this machine: API server, kubelet, containerd, CoreDNS, a registry.'
  bin/runecluster up --name "$cluster" --tier "${DEMO_TIER:-auto}" -o json >"$work/cluster.json"
  printf '%s, tier %s: %s\n' "$(field kubernetesVersion)" "$(field tier)" "$(field reason)"
  cp "$(field kubeconfig)" "$work/admin.kubeconfig"
  PATH="$PWD/bin:$(dirname "$(field kubectl)"):$PATH"
  export PATH
}

# image NAME:TAG PROGRAM ARGUMENTS...: pushes a static binary as an image and prints its digest reference.
image() {
  local reference=$registry/$1 program=$2
  shift 2
  bin/runecluster load "$reference" --name "$cluster" --binary "$program" --user 65532 "$@"
}

# sign REFERENCE: signs with the demo's key by the real cosign, as a build pipeline would.
sign() {
  show pipeline cosign sign --key cosign.key "$1"
  HTTP_PROXY=$(field registryProxy) COSIGN_PASSWORD='' "$cosign" sign --yes --tlog-upload=false \
    --key "$work/cosign.key" "$1" 2>"$work/cosign.log" || { cat "$work/cosign.log" >&2; return 1; }
}

build_images() {
  local version reference web=$work/web
  cosign=$(bin/runecluster tool cosign)
  CGO_ENABLED=0 go build -o "$web" ./test/apps/web
  CGO_ENABLED=0 go build -o "$work/client" ./test/apps/client
  (cd "$work" && COSIGN_PASSWORD='' "$cosign" generate-key-pair 2>/dev/null)
  say 'Three versions of web. The third has a fault: it answers every second request with an error.'
  for version in v1 v2 v3; do
    local env=(--env "VERSION=$version")
    if [ "$version" = v3 ]; then env+=(--env FAIL_EVERY=2); fi
    reference=$(image "web:$version" "$web" "${env[@]}")
    sign "$reference"
  done
  say 'And one that nobody signed.'
  image web:unsigned "$web" --env VERSION=unsigned
  image client:v1 "$work/client" >/dev/null
  image rune-webhook:demo bin/rune-webhook >/dev/null
}

install_rune() {
  local user
  for user in alice bob; do
    cp "$(bin/runecluster user "$user" --name "$cluster")" "$work/$user.kubeconfig"
  done
  as admin kubectl rune install --image "$registry/rune-webhook:demo"
  say 'Staging and production, a policy that trusts the key of the pipeline, and the rights of Alice and Bob:'
  image_policy >"$work/imagepolicy.yaml"
  as admin kubectl apply -f hack/demo/namespaces.yaml -f hack/demo/access.yaml \
    -f hack/demo/environments.yaml -f "$work/imagepolicy.yaml"
  as admin kubectl wait --for=condition=Enforced environment --all --timeout=30s
  as admin kubectl get environments
}

image_policy() {
  cat <<YAML
apiVersion: rune.runeframeos.com/v1alpha1
kind: ImagePolicy
metadata: {name: shop}
spec:
  images: ["$registry/web"]
  environments: [staging, production]
  authorities:
  - name: pipeline
    key:
      data: |
$(sed 's/^/        /' "$work/cosign.pub")
YAML
}

show_refusals() {
  local kind
  for kind in unsigned unlimited privileged; do
    expect 1 admin kubectl apply -n shop-production -f "hack/demo/refused/$kind.yaml"
  done
  say 'Even the administrator was refused; all violations come in one answer.'
}

# start_users ENVIRONMENT: starts the client that plays the users, and waits for its first answers.
start_users() {
  sed "s/ENVIRONMENT/$1/g" hack/demo/client.yaml | KUBECONFIG="$work/admin.kubeconfig" kubectl apply -f - >/dev/null
  KUBECONFIG="$work/admin.kubeconfig" kubectl -n traffic rollout status "deployment/client-$1" --timeout=60s >/dev/null
  say "A client now sends 20 requests a second to web in $1."
}

release_first_version() {
  as admin kubectl apply -n shop-staging -f hack/demo/service.yaml -f hack/demo/web.yaml
  as admin kubectl rollout status -n shop-staging deployment/web --timeout=60s
  as admin kubectl apply -n shop-production -f hack/demo/service.yaml
  say 'Alice asks for production. Nothing happens there before another person agrees.'
  expect 3 alice kubectl rune promote deployment/web --to production --reason 'first release'
  say 'She cannot agree with herself:'
  expect 4 alice kubectl rune approve release/web-1 -n shop-production
  say 'Bob can. Who he is, the API server says.'
  expect 0 bob kubectl rune approve release/web-1 -n shop-production
  expect 0 alice kubectl rune resume release/web-1 -n shop-production
  say 'Production runs the digest that was verified:'
  image_of shop-production
}

canary_second_version() {
  start_users staging
  start_users production
  watch_users staging
  expect 0 alice kubectl rune canary deployment/web -n shop-staging --image "web=$registry/web:v2"
  judge_users staging zero
}

promote_second_version() {
  expect 3 alice kubectl rune promote deployment/web --to production --reason 'version 2'
  expect 0 bob kubectl rune approve release/web-2 -n shop-production --comment 'looked at staging'
  watch_users production
  expect 0 alice kubectl rune resume release/web-2 -n shop-production
  judge_users production zero
}

canary_faulty_version() {
  watch_users staging
  expect 2 alice kubectl rune canary deployment/web -n shop-staging --image "web=$registry/web:v3"
  judge_users staging some
  say 'Staging runs version 2 again, nothing of the canary is left:'
  image_of shop-staging
  as admin kubectl get deployments,services -n shop-staging
}

roll_back() {
  watch_users production
  expect 0 alice kubectl rune rollback deployment/web -n shop-production --reason 'support asks for version 1' --yes
  judge_users production zero
  image_of shop-production
}

show_records() {
  as alice kubectl rune status deployment/web -n shop-production
  as alice kubectl get releases -A
  as alice kubectl get approvals -A
}
