# make run and make test do everything on a fresh Debian 12 with Go and apt; both install what is missing.
SHELL := /bin/bash
export CGO_ENABLED ?= 0
BIN := bin
GOFILES := $(shell git ls-files '*.go' go.mod go.sum 2>/dev/null)

.PHONY: run build test unit race lint e2e conformance sim bench bench-scheduler bench-logs bench-cluster bench-modules fuzz coverage-api deps deps-test

run: deps build              ## start Roadstead with a sample task, and say how to use it
	$(BIN)/roadstead dev --data-dir "$${ROADSTEAD_DATA:-/var/lib/roadstead/dev}" --sample $(BIN)/sample $(ARGS)

build: $(BIN)/roadstead $(BIN)/sample

$(BIN)/roadstead: $(GOFILES)
	go build -trimpath -o $@ .

$(BIN)/sample: $(wildcard sample/*.go)
	go build -trimpath -ldflags '-s -w' -o $@ ./sample

test: deps-test lint race e2e conformance   ## everything that CI runs

unit:                        ## no root, no network
	go test ./...

# Rooms without goroutines, in which the race detector finds nothing and takes ten times as long; and attacks on a server whose own tests have it.
PLAIN := ./scheduler ./simulate ./test/arch ./test/attack

race:                        ## state by itself: a member of etcd that gets no processor for a second loses its lease, and its test
	CGO_ENABLED=1 go test -race -shuffle=on $$(go list ./... | grep -vE '/state$$' | grep -vFx "$$(go list $(PLAIN))")
	CGO_ENABLED=1 go test -race -shuffle=on ./state
	go test -shuffle=on $(PLAIN)

lint:
	scripts/lint

e2e: build                   ## real containers: needs root; one package after the other, for each fills the machine
	go test -tags e2e -count=1 -p 1 -timeout 20m ./agent/runtime/... ./agent/network/... ./agent/volumes/... ./test/e2e/...

conformance: build           ## the real aws command line against a real server: needs root
	go test -tags e2e -count=1 -timeout 15m ./test/conformance/...

sim:                         ## the control plane and simulated nodes under scripts of troubles: 10 x 300 nodes, 1 x 5,000; about ten minutes
	go test ./test/sim -run TestSimulation -count=1 -timeout 2h -sim.seeds 10 -sim.agents 300 -sim.minutes 20 -sim.troubles 80
	go test ./test/sim -run TestSimulation -count=1 -timeout 2h -sim.seed 1 -sim.agents 5000 -sim.minutes 5 -sim.troubles 20

bench: build
	scripts/bench

bench-scheduler:             ## placements a second, beside SwarmKit's scheduler in the same run
	cd test/bench/swarmkit && go run -ldflags '-X google.golang.org/protobuf/reflect/protoregistry.conflictPolicy=ignore' .

bench-logs:                  ## log lines taken, kept, searched and followed, beside SQLite in the same run
	cd test/bench/sqlite && go run .

bench-modules:               ## vet the modules of those two, which have dependencies of their own: not in CI, a minute or two on a cold cache
	for m in swarmkit sqlite; do (cd test/bench/$$m && go mod tidy -diff && go vet ./...) || exit 1; done

# CLUSTER= makes it small: 200 nodes, 4,000 tasks, half a minute.
CLUSTER ?= -cluster.agents 5000 -cluster.tasks 100000 -cluster.settle 95s -cluster.idle 60s
bench-cluster: build         ## a server, 5,000 simulated nodes and 100,000 tasks, beside raw etcd: about six minutes
	go test -tags bench ./test/bench/cluster -run '^$$' -bench . -benchtime 1x -timeout 1h $(CLUSTER)

fuzz:
	scripts/fuzz

coverage-api: build          ## operations served of those that each service has
	$(BIN)/roadstead coverage

deps:                        ## what Debian has and we need at run time
	scripts/deps

deps-test:
	scripts/deps test
