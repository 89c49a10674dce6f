# The commands of this project. `make` alone lists them.

SHELL := /bin/bash
# Where rustup puts cargo, in case the shell was not told.
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo

.PHONY: help demo test lint fuzz bench fmt install-tools

help:
	@echo 'make demo            build, start three nodes and Prosody, and show messages and presence'
	@echo '                     travel between a Wireless Village user and an XMPP user'
	@echo '                     (KEEP=1 make demo leaves everything running to join in)'
	@echo 'make test            formatting, lints, all tests, Prosody included, and fuzzing'
	@echo 'make lint            formatting and lints alone'
	@echo 'make fuzz            each fuzz target of the codec for a few seconds'
	@echo '                     (FUZZ_SECONDS=60 make fuzz is more thorough)'
	@echo 'make bench           benchmarks of the codec'
	@echo 'make fmt             format the sources'
	@echo 'make install-tools   what the tests and the demo need: Prosody, Python, slixmpp, g++'

# A debug build: its first result is there much sooner than that of a release build.
demo: install-tools
	$(CARGO) build --locked
	scripts/demo.sh

test: lint install-tools
	$(CARGO) test --locked
	$(MAKE) fuzz

lint:
	@$(CARGO) fmt --version >/dev/null && $(CARGO) clippy --version >/dev/null \
		|| rustup component add rustfmt clippy
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

fuzz:
	CARGO=$(CARGO) scripts/fuzz.sh

bench:
	$(CARGO) bench --locked

fmt:
	$(CARGO) fmt

install-tools:
	scripts/install-test-tools.sh
