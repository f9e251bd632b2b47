# make run and make test do everything on a fresh Debian 12 with Go and apt; both install what is missing.
SHELL := /bin/bash
export CGO_ENABLED ?= 0
BIN := bin
GOFILES := $(shell git ls-files '*.go' go.mod go.sum 2>/dev/null)

.PHONY: run build test unit race lint e2e conformance bench bench-scheduler fuzz coverage-api deps deps-test

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

race:
	CGO_ENABLED=1 go test -race -shuffle=on ./...

lint:
	scripts/lint

e2e: build                   ## real containers: needs root
	go test -tags e2e -count=1 -timeout 20m ./agent/runtime/... ./agent/network/... ./test/e2e/...

conformance: build           ## the real aws command line against a real server: needs root
	go test -tags e2e -count=1 -timeout 15m ./test/conformance/...

bench: build
	scripts/bench

bench-scheduler:             ## placements a second, beside SwarmKit's scheduler in the same run
	cd test/bench/swarmkit && go run -ldflags '-X google.golang.org/protobuf/reflect/protoregistry.conflictPolicy=ignore' .

fuzz:
	scripts/fuzz

coverage-api: build          ## operations served of those that each service has
	$(BIN)/roadstead coverage

deps:                        ## what Debian has and we need at run time
	scripts/deps

deps-test:
	scripts/deps test
