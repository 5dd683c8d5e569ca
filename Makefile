# Fairway. `make help` lists the targets; README.md says what they are for.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO_FILES       := $(shell git ls-files -co --exclude-standard '*.go' '*.sql' 'config/*.yaml' 2>/dev/null || find api cmd config internal -type f) go.mod go.sum
CONTROLLER_GEN := go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0
LINT_VERSION   := v2.15.0
LINT           := bin/tools/golangci-lint-$(LINT_VERSION)
VERSION        := $(shell git describe --tags --always --dirty 2>/dev/null || cat bundle/version 2>/dev/null || echo unknown)

.PHONY: help
help: ## Lists the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

bin/fairway: $(GO_FILES)
	@hack/build.sh $@ $(VERSION)

.PHONY: build
build: bin/fairway ## Builds bin/fairway.

.PHONY: deps
deps: ## Installs the Debian packages that are missing; says what it cannot install.
	@hack/install-deps.sh

.PHONY: up
up: deps bin/fairway ## Brings up the sandbox with the example bank on real Kubernetes.
	@bin/fairway sandbox up -f examples/bank/sandbox.yaml

.PHONY: down
down: bin/fairway ## Takes the sandbox down and leaves nothing behind.
	@bin/fairway sandbox down

# What takes longest begins first, and twice as many packages are tested at once as there
# are processors: most of them wait, for an API server or for time to pass.
LONGEST  := $(addprefix ./,cmd/fairway test/scale/storm internal/delivery/controller internal/release/controller test/scale/obey test/scale)
UNIT     := -p $(shell echo $$((2 * $$(nproc)))) $(LONGEST) ./...

.PHONY: test
test: deps bin/fairway ## Runs every test, the end-to-end tests on the sandbox last.
	go test -timeout 20m $(UNIT)
	go test -count=1 -timeout 40m -tags e2e ./test/e2e/...

.PHONY: unit
unit: ## Runs the tests that need no sandbox.
	go test -timeout 20m $(UNIT)

.PHONY: check
check: $(LINT) ## Lints, and fails when generated files are stale.
	$(LINT) run ./...
	go mod tidy -diff
	cd kubebox && go mod tidy -diff
	cd karmabox && go mod tidy -diff
	hack/check-generated.sh

.PHONY: generate
generate: ## Writes the generated files: deep copies, CRDs, OpenAPI, CLI reference.
	$(CONTROLLER_GEN) object:headerFile=hack/header.go.txt paths=./api/...
	$(CONTROLLER_GEN) crd:crdVersions=v1 paths=./api/... output:crd:dir=config/crd
	go run ./hack/kinddocs config/crd docs/reference/kinds
	go generate ./...

.PHONY: checks
checks: ## Takes each check that refuses away in turn: a test has to miss it (4 minutes).
	FAIRWAY_CHECKS=all go test -count=1 -timeout 30m -run TestEachCheckIsMissed ./test/checks

BENCHES = $(shell grep -rl '^func Benchmark' --include=*_test.go internal | xargs -n1 dirname | sort -u | sed 's,^,./,')

.PHONY: bench
bench: ## Measures: benchmarks in five rounds, kube-scheduler on the same fleet, placing through the hub's API.
	@go run ./hack/bench $(BENCHES)
	@cd kubebox && go test -run '^$$' -bench . -benchtime 1x ./scheduling
	@go test -count=1 -run 'TestPlacing$$' -v -timeout 2h ./test/scale/placing

.PHONY: bundle
bundle: deps ## Writes dist/fairway-bundle.tar.gz, with which `make up` needs no network.
	hack/bundle.sh

$(LINT):
	@mkdir -p bin/tools
	GOBIN=$(CURDIR)/bin/tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv bin/tools/golangci-lint $@
