# The commands of this project. `make` alone lists them.

SHELL := /bin/bash
# Where rustup puts cargo, in case the shell was not told.
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo

.PHONY: help demo test lint bench fmt install-tools

help:
	@echo 'make demo            build, start three nodes and Prosody, and show messages and presence'
	@echo '                     travel between a Wireless Village user and an XMPP user'
	@echo '                     (KEEP=1 make demo leaves everything running to join in)'
	@echo 'make test            formatting, lints, and all tests, Prosody included'
	@echo 'make lint            formatting and lints alone'
	@echo 'make bench           benchmarks of the codec'
	@echo 'make fmt             format the sources'
	@echo 'make install-tools   what the tests and the demo need: Prosody, Python, slixmpp'

# A debug build: its first result is there much sooner than that of a release build.
demo: install-tools
	$(CARGO) build --locked
	scripts/demo.sh

test: lint install-tools
	$(CARGO) test --locked

lint:
	@$(CARGO) fmt --version >/dev/null && $(CARGO) clippy --version >/dev/null \
		|| rustup component add rustfmt clippy
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

bench:
	$(CARGO) bench --locked

fmt:
	$(CARGO) fmt

install-tools:
	scripts/install-test-tools.sh
