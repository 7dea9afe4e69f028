# Hải Đăng. `make` alone says what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

WEB := dashboards/web
TARGET := $(or $(CARGO_TARGET_DIR),target)
PROGRAMS := -p haidang-collector -p haidang-agent -p haidang-world
CONSOLE_SOURCES := $(shell find $(WEB)/src $(WEB)/public -type f 2>/dev/null) $(wildcard $(addprefix $(WEB)/,index.html package.json svelte.config.js tsconfig.json vite.config.ts))

LAB ?= ../shared/lab/lab
# libfaketime puts other clocks under programs, strace kills them at a step.
TEST_PACKAGES := faketime iproute2 nftables prometheus rsyslog snmp snmpd snmpsim strace
# `disk` where a file system can be mounted (CAP_SYS_ADMIN, bit 21): there a test that skips it fails.
MOUNTS = $(shell (( 0x$$(awk '/^CapEff/ { print $$2 }' /proc/self/status) >> 21 & 1 )) && echo disk)
# `hostile` where anybody may be sent an echo.
ROOT = $(shell (( $$(id -u) == 0 )) && echo hostile)
LAB_PACKAGES := faketime iproute2 iputils-ping nftables openssl python3 snmpd
S ?= S01-commune-cut

.PHONY: help run fault heal build agent deb fuzz console bench test fmt fmt-check clippy test-web test-rust test-browser tools lab lab-play

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Start collector, this machine's agent and the rehearsal province; Ctrl-C stops all
	@BIN=$(TARGET)/release configs/demo/run

fault: ## Break something in a running rehearsal: make fault F="cut 28249" (cut, pop, carrier, hand-off, power, off, brownout, flap, service, clock, background)
	@$(TARGET)/release/haidang-world fault "$(F)"

heal: ## Heal everything, or one thing: make heal F="cut 28249"
	@$(TARGET)/release/haidang-world heal $(F)

build: console ## Build the programs, with the console inside
	@[[ -x $(TARGET)/release/haidang-world ]] || echo "First build: about 8 minutes on two cores; later ones take seconds."
	cargo build --release --locked $(PROGRAMS)

# What zstd's level 3 never takes, and what C code needs only to be unwound: 150 kB of the agent.
SMALL_C := -DZSTD_EXCLUDE_GREEDY_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_LAZY_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_LAZY2_BLOCK_COMPRESSOR \
	-DZSTD_EXCLUDE_BTLAZY2_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTOPT_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTULTRA_BLOCK_COMPRESSOR \
	-fno-asynchronous-unwind-tables -fno-unwind-tables

agent: export CFLAGS += $(SMALL_C)
agent: tools ## Build the agent alone, for size
	cargo build --profile small --locked -p haidang-agent
	@stat -c '%n: %s octets' $(TARGET)/small/haidang-agent

# Debian packages of ARCH into OUT. For arm64 Debian's own compiler crosses, in a target directory of its own.
ARCH ?= amd64
OUT ?= $(TARGET)/deb
DEB_PROGRAMS ?= haidang-agent haidang-collector
ARM64_PACKAGES := rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross
ARM64 := aarch64-unknown-linux-gnu
ARM64_CARGO = RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$(TARGET)/arm64 CARGO_BUILD_TARGET=$(ARM64) \
	CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc cargo
CARGO_OF_ARCH = $(if $(filter arm64,$(ARCH)),$(ARM64_CARGO),cargo)
BUILT = $(if $(filter arm64,$(ARCH)),$(TARGET)/arm64/$(ARM64),$(TARGET))

deb: $(if $(filter %collector,$(DEB_PROGRAMS)),console,tools) ## Build Debian packages: make deb, make deb ARCH=arm64
	@case $(ARCH) in amd64) ;; \
	arm64) dpkg --add-architecture arm64; $(call installed,$(ARM64_PACKAGES));; \
	*) echo "ARCH is amd64 or arm64, not $(ARCH)" >&2; exit 2;; esac
	@for program in $(DEB_PROGRAMS); do ( \
		profile=release; if [[ $$program == haidang-agent ]]; then profile=small; export CFLAGS="$${CFLAGS:-} $(SMALL_C)"; fi; \
		$(CARGO_OF_ARCH) build --profile $$profile --locked -p $$program; \
		packaging/deb $(ARCH) $(BUILT)/$$profile/$$program $(OUT); \
	); done

fuzz: ## Feed every parser with mutated octets, a minute each: make fuzz T="config orders" SECONDS_EACH=600
	@command -v g++ >/dev/null || { echo "g++ is missing: the fuzzer's own part is C++ (Debian: g++)" >&2; exit 1; }
	tests/fuzz/run $(T)

console: tools $(WEB)/dist/index.html ## Build the console

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	npm --prefix $(WEB) ci
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(CONSOLE_SOURCES)
	npm --prefix $(WEB) run build
	@touch $@

test: fmt-check clippy test-web test-rust test-browser ## Pass every test; installs chromium and faketime when missing
	@echo "all tests pass"

fmt: ## Format the Rust code
	cargo fmt --all

fmt-check: tools
	cargo fmt --all --check

clippy: $(WEB)/dist/index.html ## Lint the Rust code, warnings denied
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-web: $(WEB)/dist/index.html ## Type-check, test and build the console
	npm --prefix $(WEB) run check
	npm --prefix $(WEB) test

test-rust: $(WEB)/dist/index.html ## Test the Rust code
	rustfmt --edition 2024 --check agent/src/probe/*.rs agent/src/listen/*.rs # behind a macro, where cargo fmt does not look
	cargo build --locked $(PROGRAMS)
	@$(call installed,$(TEST_PACKAGES))
	HAIDANG_PROVE="clock listeners prometheus $(MOUNTS) $(ROOT)" cargo test --workspace --locked

test-browser: $(WEB)/dist/index.html ## Look at the console in a real browser
	cargo build --locked $(PROGRAMS)
	BIN=$(TARGET)/debug tests/browser/run

# Debian packages that are installed when missing.
installed = missing=$$(for package in $(1); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	[[ -z $$missing ]] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; }

# What the build needs, each with what to do when it is not there.
tools:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: install gcc or clang (Debian: build-essential)" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20.19 or later with npm" >&2; exit 1; }
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error(`Node.js $${process.versions.node} is too old: 20.19 or later is needed`); process.exit(1); }'

lab: ## Play a scenario of the network lab on real packets, as root: make lab S=S01-commune-cut
	@if [[ ! -x "$(LAB)" ]]; then echo "lab: there is no lab at $(LAB); say LAB=PATH"; \
	elif [[ $$(id -u) != 0 ]]; then echo "lab: network namespaces need root"; \
	else $(MAKE) lab-play; fi

lab-play: build
	@$(call installed,$(LAB_PACKAGES))
	cargo build --locked -p haidang-tests --bin haidang-lab
	@export LAB="$(abspath $(LAB))" BIN="$(abspath $(TARGET))/release"; \
	trap '$(TARGET)/debug/haidang-lab down' EXIT; \
	$(TARGET)/debug/haidang-lab play "$(S)" .run/lab

BENCHES := footprint outages gap quiet store icmp listen snmp web load hostile
# The peers that benches run beside ours.
BENCH_PACKAGES := fping prometheus prometheus-blackbox-exporter prometheus-node-exporter prometheus-snmp-exporter snmpd \
	snmptrapd zabbix-agent2
bench: $(WEB)/dist/index.html ## Measure on real processes, about 105 minutes: docs/benchmarks.md
	cargo build --release --locked $(PROGRAMS)
	@$(call installed,$(BENCH_PACKAGES))
	for bench in $(BENCHES); do \
		profile=dev; if [[ $$bench =~ ^(store|listen|snmp|web|hostile)$$ ]]; then profile=release; fi; \
		BIN=$(abspath $(TARGET))/release cargo bench --locked --profile $$profile -p haidang-tests --bench $$bench; done
