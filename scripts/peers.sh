#!/usr/bin/env bash
# Builds the comparison with cqrs-es and PostgreSQL into target/peers, and installs PostgreSQL if this is root on Debian.
#
# `make bench` calls it and goes on without the comparison if this fails. The package sets up a server of its own, too; the
# comparison doesn't use it, each of its measurements makes one that is gone afterwards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "peers: $*" >&2; }
fail() {
    say "$*; the comparison is left out"
    exit 1
}

has_postgresql() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

install_postgresql() {
    command -v apt-get >/dev/null || fail "PostgreSQL is missing: install it, so that initdb is in PATH"
    [ "$(id -u)" -eq 0 ] || fail "PostgreSQL is missing: sudo apt-get install postgresql"
    say "installing postgresql"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null ||
        fail "postgresql can't be installed"
}

has_postgresql || install_postgresql
cargo build --quiet --release --locked --manifest-path benches/peers/Cargo.toml --target-dir target/peers ||
    fail "it can't be built"
target/peers/release/peers --check >/dev/null || fail "it can't measure"
