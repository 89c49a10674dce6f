# The commands of this project. `make` alone lists them.

SHELL := /bin/bash
# Where rustup puts cargo, in case the shell was not told.
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo

.PHONY: help demo test test-shards properties lint audit fuzz campaign bench bench-instructions doap fmt install-tools \
	man deb image package-tools package-root

help:
	@echo 'make demo            build, start four nodes and Prosody; show messages, presence, groups and files'
	@echo '                     travel between a Wireless Village user and an XMPP user'
	@echo '                     (KEEP=1 make demo leaves everything running to join in)'
	@echo 'make test            lint, then all tests, Prosody included, with one shard and with three,'
	@echo '                     fuzzing, and short campaigns'
	@echo 'make test-shards     the tests with nodes alone, each node of three shards'
	@echo 'make properties      the property tests alone, with inputs nobody has seen yet'
	@echo '                     (PROPERTY_CASES=20000 make properties takes an hour)'
	@echo 'make lint            formatting, lints and documentation alone, and with cargo-deny the licences'
	@echo 'make audit           known vulnerabilities in dependencies; needs cargo-deny and the network'
	@echo 'make fuzz            each fuzz target of the codec for a few seconds'
	@echo '                     (FUZZ_SECONDS=60 make fuzz is more thorough)'
	@echo 'make campaign        three nodes under kill -9 and broken connections, a minute long'
	@echo '                     (CAMPAIGN="--kills 300 --messages 50000 --seconds 3600" makes it an hour)'
	@echo 'make bench           benchmarks of the codec'
	@echo 'make bench-instructions  instructions for a message: codec, and relay core'
	@echo 'make doap            docs/xmpp/wvgate.doap, of docs/xmpp/features.toml'
	@echo 'make man             the manual pages, in target/package/share/man'
	@echo 'make deb             the package for Debian, of a release build, in target/package'
	@echo 'make image           an image for containers, of that package; as root'
	@echo 'make fmt             format the sources'
	@echo 'make package-tools   what packages are made and tested with: cargo-deb, lintian, mmdebstrap'
	@echo 'make package-root    the small Debian in which they are tested, and which the image begins with'
	@echo 'make install-tools   what the tests and the demo need: Prosody, ejabberd, Kannel, slixmpp, g++'

# A debug build: its first result is there much sooner than that of a release build.
demo: install-tools
	$(CARGO) build --locked
	scripts/demo.sh

# The same inputs each time: what a change breaks is told from what is found by chance.
test: export PROPTEST_RNG_SEED ?= 1
# Most tests wait most of the time.
test: export RUST_TEST_THREADS ?= 4
test: install-tools
	@mkdir -p target/package
	@echo 'meanwhile: $(MAKE) package-root'; $(MAKE) package-root >target/package/root.log 2>&1 & root=$$!; \
		$(MAKE) lint; linted=$$?; wait $$root || { cat target/package/root.log; exit 1; }; exit $$linted
	$(CARGO) test --locked --workspace
	$(MAKE) test-shards
	$(MAKE) fuzz
	$(MAKE) campaign
	$(MAKE) campaign CAMPAIGN="--shards 3"

# All tests with nodes once more, each node of three shards.
test-shards: install-tools
	WVGATE_TEST_SHARDS=3 $(CARGO) test --locked --test it -- --skip codec_ --skip packaging --skip structure --skip layering --skip references --skip crashes

# What of XMPP is supported, for programs.
doap:
	WVGATE_MAKE_DOAP=1 $(CARGO) test --locked --test it -- the_description_of_the_project_says_the_same

properties:
	PROPTEST_CASES=$${PROPERTY_CASES:-2000} $(CARGO) test --locked --workspace --lib
	PROPTEST_CASES=$${PROPERTY_CASES:-2000} $(CARGO) test --locked --test it -- codec_properties

lint:
	@$(CARGO) fmt --version >/dev/null && $(CARGO) clippy --version >/dev/null \
		|| rustup component add rustfmt clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		echo '$(CARGO) deny check licenses bans sources'; \
		$(CARGO) deny --offline --locked check licenses bans sources; \
	else \
		echo 'cargo-deny is not installed: licences and sources are not checked (cargo install --locked cargo-deny)'; \
	fi

audit:
	$(CARGO) deny --locked check

fuzz:
	CARGO=$(CARGO) scripts/fuzz.sh

campaign: install-tools
	$(CARGO) build --locked
	"$${CARGO_TARGET_DIR:-target}/venv/bin/python" scripts/campaign.py $(CAMPAIGN)

bench:
	$(CARGO) bench --locked --package wvgate-wire

bench-instructions:
	CARGO=$(CARGO) scripts/bench-instructions.sh

fmt:
	$(CARGO) fmt --all

install-tools:
	scripts/install-test-tools.sh

package-tools:
	CARGO=$(CARGO) scripts/install-package-tools.sh

# A small Debian, once; most of the time it waits for the network.
package-root: package-tools
	scripts/debian-root.sh

man:
	$(CARGO) build --locked
	"$${CARGO_TARGET_DIR:-target}/debug/wvgate" man --dir target/package/share/man

deb: package-tools
	CARGO=$(CARGO) scripts/deb.sh

# Of the package that is there with this version; make deb makes it.
image: deb
	scripts/oci-image.py --deb "$$(ls -t target/package/wvgate_*.deb | head -n 1)" \
		--base "$$(scripts/debian-root.sh | tail -n 1)" --out target/package/wvgate.oci.tar
