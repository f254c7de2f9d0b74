# scaffold: the everyday commands. "make" alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --warn-undefined-variables

# Modules that make test runs, before the examples.
MODULES := . runtime test/demo test/drain test/hostile

# Run the commands of runbooks with kubectl and Alertmanager, which other modules should not download.
RUNBOOKS := test/runbooks

# Check generated files with the programs that read them. Each needs many modules, or forks of modules.
COMPOSE := test/compose
IMAGES := test/image
BACKENDS := test/backends
THANOS := test/thanos
COLLECTOR := test/collector
TERRAFORM := test/terraform

# Validates manifests with the types of Kubernetes, and on a real API server.
KUBERNETES := test/kubernetes

# Validates pipelines with linters, a runner and validators, half of them from npm.
PIPELINES := test/pipelines

# Runs other routers on the runtime.
ROUTERS := test/routers

# Opens drawn dashboards in Chromium.
CHROMIUM := test/chromium

OTHERS := $(CHROMIUM) $(RUNBOOKS) $(COMPOSE) $(IMAGES) $(BACKENDS) $(COLLECTOR) $(TERRAFORM) $(KUBERNETES) $(PIPELINES) $(ROUTERS)

# Examples that are committed whole, and those that are committed without generated files.
EXAMPLES := $(sort $(dir $(wildcard examples/*/go.mod)))
RENDERED := $(patsubst examples/%/digests.txt,examples/rendered/%/,$(sort $(wildcard examples/*/digests.txt)))

# Imports all of Prometheus and Alertmanager, which takes minutes to compile.
CONFORMANCE := test/conformance

# Compares with other frameworks, which other modules should not download.
BENCH := test/bench

# Build tags of Prometheus that exclude the SDKs of a dozen clouds.
DISCOVERY := remove_all_sd,enable_kubernetes_sd

# Tools are pinned here and nowhere else.
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Directories with gates on allocations, which the race detector would change.
GATES := $(sort $(dir $(shell grep -rl --include='*_test.go' '^func TestAllocations' runtime test dashboards)))

# Weeks in simulated time and millions of samples run on one goroutine: the race
# detector would find nothing and cost minutes.
SIMULATIONS := ./internal/promsim/alertsim ./internal/promsim/metricstore ./internal/promsim/rulesim

# Tests that create, build and verify services, or install a release, have names that begin
# with TestEndToEnd. E2E lists the directories that hold some. Those of internal/verify, whose
# parts run in parallel, have the race detector.
E2E := $(sort $(dir $(shell grep -rl --include='*_test.go' '^func TestEndToEnd' cmd internal slo templates dashboards runtime test)))

# Packages whose tests compare with golden files, but for those of docs/transcripts.
TRANSCRIPTS := ./cmd/scaffold/ ./internal/verify/endtoend/
# The golden file of PARITY comes from Grafana's code, and grafana-parity compares it.
PARITY := ./dashboards/render/internal/grafana/
GOLDEN := $(filter-out $(TRANSCRIPTS) $(PARITY),$(sort $(dir $(shell grep -rl --include='*_test.go' 'internal/testkit/golden"' cmd internal slo templates dashboards test/component 2>/dev/null | sed 's|^|./|'))))

# DEPS=install lets "make test" install what the machine lacks (Debian, Ubuntu).
DEPS ?=
KEEP ?=
SCREENSHOTS ?=
BENCHTIME ?= 1x

comma := ,

# $(call timed,name,command) runs the command and says how long it took.
timed = @start=$$SECONDS; $(2); echo "$(1): $$((SECONDS - start)) s"

.PHONY: help terraform demo install test test-quick simulations conformance mutants deps modules runbooks compose backends lint bench bench-peers generate checkgenerate examples release0 rendered golden pictures transcripts tidy e2e dashboards-schema grafana-parity chromium pipelines images kubernetes kubernetes-apiserver collector routers

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## create a service, build, test, run, break and stop it (KEEP=1 leaves it running)
	$(call timed,demo,echo "building the demo itself (a minute the first time$(comma) seconds later)" && cd test/demo && go build -o ../../bin/demo . && cd ../.. && KEEP=$(KEEP) bin/demo)

install: ## build scaffold and link it into a directory of PATH
	$(call timed,install,.ci/install)

# Linters vet, in a target of their own.
# Tests that build a service build it with the race detector, too: its dependencies compile once.
test: export GOFLAGS := -race $(shell go env GOFLAGS)
test: deps modules rendered ## run all tests but end-to-end tests, simulations and limits of memory and allocations, with the race detector
	$(call timed,test,for m in $(MODULES) $(EXAMPLES) $(RENDERED); do echo "== $$m"; (cd $$m && go test -vet=off -timeout 20m -skip '^TestEndToEnd' ./...); done)

test-quick: modules rendered ## run tests that need only Go, and list the others
	$(call timed,test-quick,for m in $(MODULES) $(EXAMPLES) $(RENDERED); do echo "== $$m"; (cd $$m && CI= go test -short -v ./... 2>&1 | $(CURDIR)/.ci/quick); done)

e2e: deps modules rendered ## end-to-end tests: create, run and verify services, build without network, install a release (minutes)
	$(call timed,e2e,go test -count=1 -timeout 30m -run '^TestEndToEnd' $(addprefix ./,$(filter-out runtime/% test/% internal/verify/,$(E2E))); \
		go test -race -count=1 -timeout 20m -run '^TestEndToEnd' ./internal/verify; \
		(cd runtime && go test -count=1 -tags scaffold_faults -run '^TestFaults' ./httpserver); \
		for d in $(filter runtime/% test/%,$(E2E)); do (cd $$d && go test -count=1 -timeout 20m -run '^TestEndToEnd' .); done)

simulations: ## run weeks of alerts, minutes of overload, and limits of memory and allocations, without the race detector (minutes)
	$(call timed,simulations,go test -count=1 $(SIMULATIONS); go test -count=1 -run '^TestIncidentFixture$$|States$$' ./dashboards/render; (cd runtime && go test -count=1 ./overload); \
		for d in $(GATES); do (cd $$d && go test -count=1 -run '^TestAllocations|MemoryLimit$$' .); done)

conformance: ## compare our store, rules and routing with Prometheus, promtool and Alertmanager (minutes)
	$(call timed,conformance,cd $(CONFORMANCE) && go test -timeout 30m ./...)

mutants: deps ## check that verify finds each of 278 broken services (minutes)
	$(call timed,mutants,MUTANTS=1 go test -count=1 -timeout 30m ./internal/verify -run Mutant)

runbooks: ## run the commands of runbooks with amtool on Alertmanager, and kubectl on a fake API server (downloads both)
	$(call timed,runbooks,cd $(RUNBOOKS) && go test -count=1 ./...)

backends: ## load rules into Grafana Mimir, also with mimirtool, and draw dashboards from Prometheus, Thanos and Mimir (compiles them: minutes)
	$(call timed,backends,cd $(BACKENDS) && go test -count=1 -timeout 20m ./...)

collector: ## validate collector configurations and sample traces with an OpenTelemetry Collector (compiles it: minutes)
	$(call timed,collector,cd $(COLLECTOR) && go test -count=1 -tags '$(DISCOVERY)' ./...)

compose: ## start the local stack with Docker Compose on a fake engine
	$(call timed,compose,cd $(COMPOSE) && go test -count=1 ./...)

pipelines: ## validate and run pipelines (actionlint, GitLab, Groovy, Renovate, Backstage); run ./ci on a fake cluster
	$(call timed,pipelines,DEPS=$(DEPS) .ci/pipelines-deps && cd $(PIPELINES) && go test -count=1 ./...)

images: ## build and run images, and validate them with BuildKit, a registry and CycloneDX (as root: two minutes)
	$(call timed,images,cd $(IMAGES) && go test -count=1 ./...)

routers: ## test gin, echo and gorilla/mux on the runtime, as in runtime/README.md (downloads them)
	$(call timed,routers,cd $(ROUTERS) && go test -race -count=1 ./...)

terraform: ## format, validate and test Terraform modules with Terraform or OpenTofu (compiles it: minutes)
	$(call timed,terraform,cd $(TERRAFORM) && go test -count=1 -timeout 20m ./...)

kubernetes: rendered ## check manifests without a cluster: types, schemas, arithmetic, kube-score (compiles their code)
	$(call timed,kubernetes,cd $(KUBERNETES) && go test -count=1 $$(go list ./... | grep -v /apiserver$$))

kubernetes-apiserver: rendered ## apply manifests to a real API server with real controllers, and write docs/kubernetes.md (builds both once: ten minutes)
	$(call timed,kubernetes-apiserver,cd $(KUBERNETES) && go test -count=1 -timeout 60m ./apiserver -document $(CURDIR)/docs/kubernetes.md)

deps: ## check for what tests need besides Go: the PostgreSQL server binaries
	$(call timed,deps,DEPS=$(DEPS) .ci/deps)

modules: ## download the modules of the runtime, since tests build services offline
	$(call timed,modules,cd runtime && go mod download)

lint: rendered ## run linters on every module, and vet for other systems
	$(call timed,lint,for m in $(MODULES) $(CONFORMANCE) $(OTHERS) $(BENCH) $(EXAMPLES) $(RENDERED); do echo "== $$m"; (cd $$m && $(GOLANGCI_LINT) run --build-tags '$(DISCOVERY),parity' ./...); done; \
		for os in darwin windows; do for m in . runtime; do echo "== $$m on $$os"; (cd $$m && GOOS=$$os go vet -stdmethods=false ./...); done; done)

bench: ## run every benchmark once (BENCHTIME=1s for numbers)
	$(call timed,bench,for m in $(MODULES); do (cd $$m && go test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...); done)

bench-peers: ## compare the cost of observing a request with other stacks (five minutes; needs valgrind)
	$(call timed,bench-peers,cd $(BENCH) && go test -count=1 ./... && go build -o ../../bin/bench . && ../../bin/bench -o RESULTS.md)

generate: golden examples ## update all generated files

checkgenerate: ## fail if generated files are out of date
	$(call timed,checkgenerate,.ci/checkgenerate)

rendered: modules ## write the files of examples/rendered, if they are missing or stale
	@for d in $(RENDERED); do name=$$(basename $$d); \
		(cd examples/$$name && sha256sum --check --status --ignore-missing digests.txt && cd ../../$$d && sha256sum --check --status ../../$$name/digests.txt) 2>/dev/null || \
		go test ./internal/cli -run "^TestExamples$$/^$$name$$" -rendered; done

release0: ## record the services that TestRelease0 updates, with the scaffold of an old commit
	internal/cli/testdata/release0/record.sh

examples: ## regenerate examples/
	$(call timed,examples,go test -count=1 ./internal/cli -run '^TestExamples$$' -update)

golden: ## record what services print, and rewrite golden files
	$(call timed,golden,go run ./internal/record && go test -count=1 $(GOLDEN) -update)

pictures: ## draw the dashboards and the report of docs/pictures again
	$(call timed,pictures,go test -count=1 ./dashboards ./dashboards/render ./internal/report -run 'Questions|FleetOf|PictureOf' -update)

transcripts: deps ## rewrite docs/transcripts, which make e2e compares
	$(call timed,transcripts,go test -count=1 $(TRANSCRIPTS) -run 'Transcripts|MakeRunEnds|WithADatabase' -update)

# Tidying also loads the tests of what a module imports. Those of Prometheus'
# configuration reach a module of Nomad that not every proxy serves, and that
# nothing here compiles: -e goes on without it.
tidy: ## run go mod tidy in every module
	$(call timed,tidy,for m in $(MODULES) $(OTHERS) $(THANOS) $(BENCH) $(EXAMPLES); do (cd $$m && go mod tidy); done; cd $(CONFORMANCE) && go mod tidy -e)

grafana-parity: ## compare the drawing of dashboards with Grafana's own code (needs npm)
	$(call timed,grafana-parity,$(if $(DEPS),.ci/npm-deps && )cd test/grafana && npm ci --no-audit --no-fund --ignore-scripts --silent && cd ../.. && go test -count=1 -tags parity $(PARITY))

chromium: ## open drawn dashboards in Chromium (SCREENSHOTS=directory keeps the pictures)
	$(call timed,chromium,$(if $(DEPS),.ci/chromium-deps && )$(if $(SCREENSHOTS),mkdir -p $(SCREENSHOTS) && )cd $(CHROMIUM) && SCREENSHOTS=$(abspath $(SCREENSHOTS)) go test -count=1 ./...)

dashboards-schema: ## check the example dashboards against the types that Grafana publishes (needs npm)
	$(call timed,dashboards-schema,cd test/schema && npm ci --no-audit --no-fund --ignore-scripts --silent && npm run --silent check)
