# The commands of this repository. `make demo` and `make test` work on a fresh Debian with a Rust toolchain: each runs
# the set-up first, which installs what is missing and compiles RocksDB once a user.

env := scripts/env.sh
# What is tested and checked beyond the default features: traces to a collector.
with_traces := --features dormouse-ops/otel,micro/spans
# Every crate that has a `rocksdb` feature; built alone, because members built together unify their features.
without_rocksdb := dormouse-persistence dormouse-runtime dormouse
# A workspace of its own: nothing but `make peers` and the benches builds it.
peers := benches/peers/Cargo.toml
# The scenarios that ARGS names: with none, all are run, and what they need is built.
scenarios := $(filter limits spread hot ids open metrics mixed large tail copies cold resident zipf embedded flights grow peers,$(ARGS))

.PHONY: help setup demo demo-fast test check quickstart bench bench-full peers micro instructions spans torture

help:
	@echo "make quickstart   a bank account in memory; compiles no C++"
	@echo "make demo         a year of flights, killed half-way and compared with its table (ARGS='--months 1..6')"
	@echo "                  its console is on; STAY=1 keeps it on the finished store until Ctrl-C"
	@echo "make demo-fast    the same with January only, unoptimised: compiles less"
	@echo "make test         all tests, the documentation's examples too"
	@echo "make torture      attacks every guarantee, in about an hour (SCALE=0.1, ARGS='--seed 7'); root and strace let it do more"
	@echo "make check        format, lints, docs, the build without RocksDB, and licences if cargo-deny is installed"
	@echo "make bench        what it makes of this machine, in under 10 minutes (ARGS='spread hot --runs 5')"
	@echo "make bench-full   the same with the sizes that count, an hour or two"
	@echo "make peers        only builds the comparison that the benches use; make bench ARGS=peers runs it"
	@echo "make micro        micro-benchmarks, and allocations a command (ARGS='deposit')"
	@echo "make instructions instructions a command, counted by valgrind and compared with the checked-in table (ARGS=--update)"
	@echo "make spans        what the spans of commands cost in processor time, sampled and not"
	@echo "make setup        compiler, libclang, and RocksDB compiled into ~/.cache (10 to 15 minutes): once per user."
	@echo "                  All but quickstart, peers, micro, instructions and spans run it first"

setup:
	@scripts/setup.sh

quickstart:
	cargo run --no-default-features --example quickstart

demo: setup
	@$(env) cargo run --release --package flights -- $(ARGS)

# January only, with the binary that the tests use.
demo-fast: setup
	@$(env) cargo run --package flights -- --fast $(ARGS)

# Figures in target/bench/summary.json, plots in report.html and plot.svg beside it. Leave the machine alone meanwhile.
bench: setup
	@$(if $(if $(scenarios),$(filter peers,$(scenarios)),yes),scripts/peers.sh || true)
	@$(if $(if $(scenarios),$(filter flights,$(scenarios)),yes),$(env) cargo build --release --package flights)
	@$(env) cargo run --release --package load -- --peers target/peers/release/peers --plot target/bench/plot.svg --short $(ARGS)

bench-full: setup
	@scripts/peers.sh || true
	@$(env) cargo build --release --package flights
	@$(env) cargo run --release --package load -- --peers target/peers/release/peers --plot target/bench/plot.svg --full $(ARGS)

peers:
	@scripts/peers.sh

# These without RocksDB: nothing in them reaches a disk.
micro:
	cargo bench --package micro -- $(ARGS)

instructions:
	cargo build --release --package micro
	@cargo run --quiet --release --package micro --bin instructions -- $(ARGS)

spans:
	@cargo run --release --package micro --features spans --bin spans

# Short versions are among the tests. One harness alone: cargo run --release -p torture -- kill
SCALE ?= 1
torture: setup
	@$(env) cargo run --release --package torture -- all --scale $(SCALE) $(ARGS)

test:
	@scripts/setup.sh --tests
	@scripts/schemathesis.sh
	@if cargo nextest --version >/dev/null 2>&1; then \
		$(env) cargo nextest run --workspace $(with_traces) --no-fail-fast; \
	else \
		$(env) cargo test --workspace $(with_traces) --no-fail-fast --lib --bins --tests --examples; \
	fi
	@$(env) cargo test --workspace $(with_traces) --doc

check: setup
	cargo fmt --all --check
	cargo fmt --manifest-path $(peers) --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	$(env) cargo clippy --workspace $(with_traces) --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(env) cargo doc --workspace $(with_traces) --no-deps
	for package in $(without_rocksdb); do \
		$(env) cargo clippy --package $$package --no-default-features -- --deny warnings || exit 1; \
	done
	$(env) cargo clippy --package dormouse --features ops -- --deny warnings
	scripts/embedding.sh
	@if command -v cargo-deny >/dev/null; then cargo deny --all-features check; else echo "cargo-deny is not installed: skipped"; fi
