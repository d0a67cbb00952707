# Tasks of those who work on Shale. `make` lists them; .ci/run calls them in order.

GO ?= go
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck
WORK := $(or $(TMPDIR),/tmp)/shale-make

# Platforms of the README besides the one at hand.
PLATFORMS = linux/386 linux/arm linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 freebsd/amd64

# Packages that are tested for arm64.
ARM64 = internal/simd vector internal/score internal/quant

# Folders of internal whose packages start no goroutines.
SEQUENTIAL = simd simd/gen score quant sq8 store/hnswlib store/manifest store/blocks wordnet

.DEFAULT_GOAL := help
.PHONY: help format lint columns generate platforms build test faults race purego arm64 exchange fuzz demo python \
	bench formats

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the command into bin/
	CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/shale

format: ## report files that gofmt would change
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }

lint: columns ## vet, staticcheck and the width of lines
	$(GO) vet ./...
	$(STATICCHECK) ./...

columns: ## report lines wider than 120 columns
	.ci/columns

generate: ## write generated files anew and report those that differ from the committed ones
	$(GO) generate ./...
	@git diff --exit-code -- internal/simd || { echo "commit what 'go generate ./...' writes"; exit 1; }

platforms: ## check types for every platform of the README, and build the command for the one that isn't Unix
	cd tools && $(GO) run ./typecheck .. $(PLATFORMS)
	CGO_ENABLED=0 GOOS=windows $(GO) build -o /dev/null ./cmd/shale
	GOARCH=arm64 $(GO) vet ./internal/simd

test: ## run all Go tests
	$(GO) test -vet=off -timeout 30m ./...

faults: ## try every fault at every operation of the changes that take long, which test leaves out
	$(GO) test -vet=off -run TestSavingSurvivesEveryFault . -shale.faults

race: ## run the Go tests in which goroutines meet with the race detector
	$(GO) test -vet=off -race -short -timeout 30m $$($(GO) list ./... | \
		grep -vxF $(SEQUENTIAL:%=-e github.com/shale-search/shale/internal/%))

purego: ## test what stands on the kernels with those in plain Go
	$(GO) test -vet=off -short -timeout 30m -tags purego ./internal/simd ./vector ./internal/score ./internal/quant
	$(GO) test -vet=off -short -timeout 30m -tags purego -run 'Recall|Exact|Flat|Scaled' ./internal/hnsw

arm64: ## test the kernels for arm64 under emulation; needs qemu-aarch64
	@mkdir -p $(WORK)
	$(MAKE) --no-print-directory -j2 $(ARM64:%=arm64/%)

arm64/%:
	GOARCH=arm64 $(GO) test -c -o $(WORK)/$(notdir $*).test ./$*
	cd $* && qemu-aarch64 $(WORK)/$(notdir $*).test -test.short

exchange: ## exchange files with the original hnswlib; needs Python 3 and a C++ compiler
	@mkdir -p $(WORK)
	python3 -m venv $(WORK)/venv
	$(WORK)/venv/bin/pip install -q -r internal/store/hnswlib/testdata/requirements.txt
	SHALE_TEST_PYTHON=$(WORK)/venv/bin/python $(GO) test -count=1 -run TestCross ./internal/store/hnswlib

fuzz: ## fuzz every reader of files for a moment each; INPUTS=100000 for longer
	.ci/fuzz $(or $(INPUTS),300)

demo: ## run the demo
	$(GO) run ./cmd/shale demo

python: ## build the wheel and test it on the oldest and the newest Python there is
	python/test.sh

bench: ## measure what users feel: builds, opening, searches
	$(GO) test -run '^$$' -bench 'Search|Build|Open' -benchtime 1s .

formats: ## write testdata/formats anew with this version's writers
	$(GO) test -run TestFormats -count=1 . -formats.update
