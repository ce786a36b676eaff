#!/usr/bin/env bash
# Finds or installs what building Dormouse needs beside a Rust toolchain, and compiles RocksDB once for this user.
#
# Safe to run at any time and twice at once; takes under a second when everything is there. `make demo` and `make test` call it,
# the latter with --tests: what only tests use is then installed, too, where it can be.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/rocksdb.sh"

say() { echo "setup: $*"; }
fail() {
    echo "setup: $*" >&2
    exit 1
}

check_rust() {
    command -v cargo >/dev/null || fail "no cargo in PATH. Install Rust from https://rustup.rs, then run this again."
    local have need
    have="$(rustc -V | cut -d' ' -f2 | cut -d- -f1)"
    need="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$repository/Cargo.toml" | head -n1)"
    [ "$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n1)" = "$need" ] ||
        fail "Rust $have is too old, $need is needed: rustup update"
}

# The crate bindgen loads libclang at build time; these are the places where it looks.
has_libclang() {
    local dirs=("${LIBCLANG_PATH:-/nowhere}" /usr/lib /usr/lib64 /usr/local/lib /usr/lib/*-linux-gnu /usr/lib/llvm-*/lib /usr/lib64/llvm*/lib)
    command -v llvm-config >/dev/null && dirs+=("$(llvm-config --libdir)")
    [ -n "$(find "${dirs[@]}" -maxdepth 1 \( -name 'libclang.so*' -o -name 'libclang-[0-9]*.so*' -o -name 'libclang.dylib' \) 2>/dev/null | head -n1)" ]
}

missing_packages() {
    command -v "$(rocksdb_compiler)" >/dev/null || echo g++
    command -v cc >/dev/null || echo gcc
    command -v make >/dev/null || echo make
    has_libclang || echo libclang-dev
}

install_packages() {
    local packages="$*" as_root=()
    if ! command -v apt-get >/dev/null; then
        fail "missing: $packages. Install a C++20 compiler, make and libclang (Fedora: gcc-c++ make clang-devel; Arch: gcc make clang), then run this again."
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo)
        else
            fail "missing: $packages. Run: sudo apt-get install $packages, then run this again."
        fi
    fi
    say "installing $packages"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

# What only tests use, a line each: those that need it say that they were skipped where it is missing.
missing_test_tools() {
    command -v prometheus >/dev/null && command -v promtool >/dev/null || echo prometheus
    command -v chromium >/dev/null && command -v chromedriver >/dev/null || echo chromium chromium-driver
}

install_test_tools() {
    local packages
    while read -r packages; do
        # in a subshell: nothing depends on it
        (install_packages $packages </dev/null) || say "not installed: $packages. Tests that need it are skipped"
        # The program is wanted, not a service of this machine.
        [ "$packages" != prometheus ] || stop_service prometheus
    done < <(missing_test_tools)
}

stop_service() {
    local as_root=(sudo -n)
    [ "$(id -u)" -ne 0 ] || as_root=()
    "${as_root[@]}" systemctl disable --now "$1" >/dev/null 2>&1 || true
}

# Shows how many of RocksDB's files are compiled, until the process $1 ends.
watch_compile() {
    local pid="$1" target="$2" sources total=0 done_files started=$SECONDS shown=0 pause=5
    while kill -0 "$pid" 2>/dev/null; do
        sources="$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -maxdepth 3 -path "*/librocksdb-sys-$(rocksdb_version)/rocksdb_lib_sources.txt" 2>/dev/null | head -n1)"
        [ -n "$sources" ] && total="$(grep -c . "$sources")"
        done_files="$(find "$target" -path '*librocksdb-sys-*/out/*.o' 2>/dev/null | wc -l)"
        if [ -t 1 ]; then
            printf '\rsetup: RocksDB: %d of %d files, %d min %02d s ' "$done_files" "$total" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
        elif [ $((SECONDS - shown)) -ge 60 ]; then
            shown=$SECONDS
            say "RocksDB: $done_files of $total files, $(((SECONDS - started) / 60)) min"
        fi
        # Ends with the compiler, not up to five seconds after it.
        timeout "$pause" tail --pid="$pid" -f /dev/null || true
    done
    [ -t 1 ] && echo
    return 0
}

# A package of its own that asks for the very RocksDB of the workspace: same lock file, same features, same flags.
write_builder_package() {
    local builder="$1"
    mkdir -p "$builder/src"
    : >"$builder/src/lib.rs"
    cp "$repository/Cargo.lock" "$builder/Cargo.lock"
    cat >"$builder/Cargo.toml" <<TOML
[package]
name = "rocksdb-archive"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
$(rocksdb_requirement)
TOML
}

compile_rocksdb() {
    local wanted="$1" builder="$rocksdb_cache/.build" log="$rocksdb_cache/build.log" pid archive
    rm -rf "$builder"
    write_builder_package "$builder"
    say "compiling RocksDB once for this user: 10 to 15 minutes on two cores (log: $log)"
    # From the repository, so that cargo finds the workspace's flags; without our variables, so that it does compile.
    (cd "$repository" && exec env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC \
        cargo build --release --manifest-path "$builder/Cargo.toml" --target-dir "$builder/target") >"$log" 2>&1 9>&- &
    pid=$!
    trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
    watch_compile "$pid" "$builder/target"
    wait "$pid" || {
        tail -n 30 "$log" >&2
        fail "compiling RocksDB failed; the whole log: $log"
    }
    trap - INT TERM
    archive="$(find "$builder/target" -path '*librocksdb-sys-*/out/librocksdb.a' | head -n1)"
    [ -n "$archive" ] || fail "cargo built librocksdb-sys, yet there is no librocksdb.a under $builder/target"
    mkdir -p "$builder/ready"
    mv "$archive" "$builder/ready/librocksdb.a"
    rocksdb_inputs >"$builder/ready/inputs.txt"
    # The folder appears whole or not at all.
    mv "$builder/ready" "$wanted"
    rm -rf "$builder"
}

provide_rocksdb() {
    local wanted
    wanted="$(rocksdb_dir)"
    if [ ! -f "$wanted/librocksdb.a" ]; then
        rm -f "$repository/.cargo/rocksdb.toml"
        mkdir -p "$rocksdb_cache"
        exec 9>"$rocksdb_cache/.lock"
        if command -v flock >/dev/null && ! flock -n 9; then
            say "another setup is compiling RocksDB; waiting for it"
            flock 9
        fi
        # Another setup may have made it while this one waited.
        [ -f "$wanted/librocksdb.a" ] || compile_rocksdb "$wanted"
        exec 9>&-
    fi
    say "RocksDB $(rocksdb_version): $wanted/librocksdb.a"
}

# So that a plain cargo call (an editor's, say) links the archive too: .cargo/config.toml includes this file if it is there.
link_by_default() {
    local file="$repository/.cargo/rocksdb.toml" text
    text="$(printf '[env]\nROCKSDB_LIB_DIR = "%s"\nROCKSDB_STATIC = "1"' "$(rocksdb_dir)")"
    [ "$(cat "$file" 2>/dev/null)" = "$text" ] || printf '%s\n' "$text" >"$file"
}

check_rust
packages="$(missing_packages | xargs)"
if [ -n "$packages" ]; then
    install_packages $packages
    [ -z "$(missing_packages)" ] || fail "still missing after the installation: $(missing_packages | xargs)"
fi
[ -n "$(rocksdb_version)" ] || fail "Cargo.lock names no librocksdb-sys"
if [ "${1:-}" = --tests ]; then
    install_test_tools
fi
provide_rocksdb
link_by_default
say "plain cargo calls in this repository link it; for a service of your own, put this into its .cargo/config.toml:"
cat "$repository/.cargo/rocksdb.toml"
# checksums in hardware
[ "$(uname -m)" != x86_64 ] || sed -n '/^\[target\./,/^rustflags/p' "$repository/.cargo/config.toml"
