# slipway. A recipe here is one or two commands; whatever loops or decides is
# Go, below internal/tools. Nothing is downloaded but Debian packages and Go
# modules.

GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= .
TOOL     := $(GO) run ./internal/tools

# Through sudo, PATH loses the place that Go's own installer uses.
export PATH := $(PATH):/usr/local/go/bin
export CGO_ENABLED := 0

# /init speaks HTTP/1.1, and does without inlining where speed is of no account
# (docs/decisions/0007-cold-packages.md).
COLD := crypto/tls crypto/x509 debug/... encoding/... fmt mime/... net net/... os os/... reflect regexp/... text/... time \
	vendor/... github.com/BurntSushi/... github.com/docker/... github.com/google/... github.com/insomniacslk/... \
	github.com/opencontainers/... github.com/sirupsen/... github.com/u-root/... github.com/vishvananda/...
INIT := $(GO) build -trimpath -tags nethttpomithttp2 $(COLD:%=-gcflags=%=-l)

# What needs root asks for it, with the environment that it reads.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo 'sudo --preserve-env=SLIPWAY_CACHE,http_proxy,https_proxy env "PATH=$$PATH"')

.DEFAULT_GOAL := help
.PHONY: help build demo test unit vm e2e firmware e2e-full check size repro fuzz bench lock needs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

build: ## build/slipway (the operator's tool) and build/slipway-init (the loader)
	$(GO) build -trimpath -o build/slipway ./cmd/slipway
	@echo $(GO) build -o build/slipway-init ./cmd/init
	@$(INIT) -ldflags '-s -w' -o build/slipway-init ./cmd/init

demo: build ## sign and boot a real Debian image in QEMU (root; INTERACTIVE=1 gives you the console)
	$(SUDO) build/slipway demo $(if $(INTERACTIVE),--interactive)

test: needs build ## every test of the tiers unit, vm and firmware
	@$(TOOL)/testsum unit vm firmware

unit: ## tests without root, network or virtual machines
	@$(TOOL)/testsum unit

vm: needs build ## boots of tiny images, refusals and failures
	@$(TOOL)/testsum vm

e2e: vm ## the same as vm

firmware: needs build ## boots from the firmware to the image's system
	@$(TOOL)/testsum firmware

e2e-full: needs build ## vm, firmware, fuzzing for ten minutes a target, benchmarks (hours)
	@$(TOOL)/testsum vm firmware
	@$(TOOL)/fuzz -time 10m
	@$(TOOL)/bench

check: ## format, vet, staticcheck, govulncheck, imports, documents, shape
	@$(TOOL)/check

size: build ## what /init weighs, by package, and a payload, by part
	@$(TOOL)/needs xz-utils
	@$(INIT) -o build/slipway-init.symbols ./cmd/init
	@$(TOOL)/size

repro: ## build everything twice in two places and compare
	@$(TOOL)/needs
	@$(TOOL)/repro

fuzz: ## every fuzz target for FUZZTIME (30s)
	@$(TOOL)/fuzz -time $(FUZZTIME)

bench: needs ## benchmarks that match BENCH, as result lines
	@$(TOOL)/bench '$(BENCH)'

lock: ## take the newest Debian point release into the lab's lock file
	$(GO) run ./qemu/lab/relock -cache build/lock-cache

needs: ## install the Debian packages that tests and demo call
	@$(TOOL)/needs -test

clean: ## remove build/; downloads stay in $SLIPWAY_CACHE or ~/.cache/slipway
	rm -rf build
