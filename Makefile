# Rune's build. `make help` lists the targets; docs and CI rely on their names.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODULE  := github.com/runeframeos/kubectl-rune
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || echo v0.1.0-dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# The date of the commit, not of the build: the same commit gives the same bytes.
DATE    ?= $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X $(MODULE)/pkg/version.Version=$(VERSION) -X $(MODULE)/pkg/version.Commit=$(COMMIT) -X $(MODULE)/pkg/version.Date=$(DATE)

# One set of flags for build, vet, lint and tests, so that they share one build cache. -trimpath also
# makes the cache independent of where the checkout lies; versions are stamped by LDFLAGS alone.
export CGO_ENABLED ?= 0
export GOFLAGS := $(strip $(filter-out -trimpath -buildvcs=%,$(GOFLAGS)) -trimpath -buildvcs=false)

# Name of the embedded cluster for cluster-up, cluster-down and cluster-status; tests name their own.
CLUSTER ?= rune
# Extra arguments of `go test` for unit and e2e, such as ARGS='-run TestPlan -v'.
ARGS ?=

# What tests, demo and benchmarks run. They never build these themselves.
export RUNE_BIN := $(CURDIR)/bin
RUNECLUSTER := $(RUNE_BIN)/runecluster
TOOL := hack/tool.sh
GOTEST := hack/gotest.sh
E2E_TIMEOUT ?= 40m

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":[^#]*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##@ Use it

.PHONY: demo
demo: build runecluster ## Show Rune's main job on a cluster of its own (KEEP=1 leaves it up)
	@hack/demo.sh

.PHONY: build
build: ## Build bin/kubectl-rune and bin/rune-webhook
	@hack/build.sh '$(LDFLAGS)' kubectl-rune=./cmd/kubectl-rune rune-webhook=./cmd/webhook

.PHONY: build-cloud
build-cloud: ## Build bin/rune-webhook-cloud: with keys in KMS and Vault, and credentials for cloud registries
	@GOFLAGS='$(GOFLAGS) -tags=cloud' hack/build.sh '$(LDFLAGS)' rune-webhook-cloud=./cmd/webhook

.PHONY: cluster-up
cluster-up: runecluster ## Start the embedded cluster and print its KUBECONFIG (CLUSTER=rune)
	@$(RUNECLUSTER) up --name $(CLUSTER)

.PHONY: cluster-down
cluster-down: runecluster ## Stop the embedded cluster and clean up after it, also after a crash
	@$(RUNECLUSTER) down --name $(CLUSTER)

.PHONY: cluster-status
cluster-status: runecluster ## Show the embedded cluster
	@$(RUNECLUSTER) status --name $(CLUSTER)

##@ Test it

.PHONY: test
test: ## All that CI runs: verify, unit, fuzz, check-profile, test-signing, test-control-plane, test-node, krew-test
	@hack/stages.sh verify unit fuzz check-profile test-signing test-control-plane test-node krew-test

.PHONY: unit
unit: ## Tests without a cluster (RACE=1 adds the race detector, ARGS='-run X' selects)
	@$(if $(RACE),CGO_ENABLED=1) $(GOTEST) unit . $(if $(RACE),-race) $(ARGS) ./...
	@$(if $(RACE),CGO_ENABLED=1) $(GOTEST) unit-cluster test/cluster $(if $(RACE),-race) $(ARGS) ./...

.PHONY: check-profile
check-profile: build ## Judge the profile's example services by the profile, with kubectl rune check
	@bin/kubectl-rune check -R -f manifests/profiles/runeframeos --config manifests/profiles/runeframeos

.PHONY: test-control-plane
test-control-plane: build runecluster ## Tests on a control plane with fake nodes
	@RUNE_TIER=kwok $(GOTEST) control-plane . -tags e2e -count=1 -timeout $(E2E_TIMEOUT) -run 'TestControlPlane' $(ARGS) ./test/e2e/...

.PHONY: test-signing
test-signing: runecluster ## Tests of signature verification against real cosign, Fulcio, Rekor and registries
	@$(GOTEST) signing . -tags sigstore -count=1 -timeout 20m $(ARGS) ./test/sigstore/...

.PHONY: test-node
test-node: build runecluster ## Tests on a real node: pods, probes, traffic (Linux and root)
	@$(GOTEST) cluster test/cluster -tags cluster -count=1 -timeout $(E2E_TIMEOUT) $(ARGS) ./...
	@RUNE_TIER=node $(GOTEST) node . -tags e2e -count=1 -timeout $(E2E_TIMEOUT) -run 'TestNode' $(ARGS) ./test/e2e/...

.PHONY: e2e
e2e: build runecluster ## All e2e tests on the best cluster there is; E2E_KUBECONFIG=FILE takes yours
	@$(GOTEST) e2e . -tags e2e -count=1 -timeout $(E2E_TIMEOUT) $(ARGS) ./test/e2e/...

.PHONY: krew-test
krew-test: build runecluster ## Package the plugin and install it with real krew, offline
	@VERSION='$(VERSION)' hack/krew-test.sh

.PHONY: fuzz
fuzz: ## Fuzz what reads and judges untrusted objects (FUZZTIME=3s for each fuzzer)
	@hack/fuzz.sh

.PHONY: bench
bench: build runecluster ## Measure start-up beside kubectl, and admission beside an empty webhook
	@hack/bench.sh

##@ Change it

.PHONY: verify
verify: ## Check generated code, go.mod tidiness, formatting, vet and lint; changes nothing
	@hack/verify.sh

.PHONY: lint
lint: ## Run golangci-lint on every module that holds code of ours (ARGS=--fix repairs)
	@hack/lint.sh $(ARGS)

.PHONY: generate
generate: ## Generate deepcopy functions and CRDs from pkg/api
	@hack/generate.sh pkg/api/v1alpha1 manifests/crds

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities that the two programs can reach (needs vuln.go.dev)
	@"$$($(TOOL) govulncheck)" ./...

.PHONY: package
package: ## Cross-compile the plugin and write its archives and krew manifest into dist/
	@hack/package.sh '$(VERSION)' '$(LDFLAGS)'

.PHONY: runecluster
runecluster: ## Build bin/runecluster, the embedded cluster's program
	@hack/build.sh '' runecluster=test/cluster

.PHONY: clean
clean: ## Remove build output and test reports; caches stay
	@rm -rf bin dist .test
