# Where the compiled RocksDB is kept, and under which name. Sourced by env.sh and setup.sh; needs bash.
#
# Compiling RocksDB takes 15 minutes on two cores and gives the same archive every time, so it is done once a user, not
# once a target directory. The key names everything that the archive depends on; a change of any of it is another key.

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
rocksdb_cache="${XDG_CACHE_HOME:-$HOME/.cache}/dormouse/rocksdb"

# The line of the workspace manifest that chooses RocksDB's version and features.
rocksdb_requirement() { grep -m1 '^rocksdb = ' "$repository/Cargo.toml"; }

# The C++ compiler that the crate `cc` will call.
rocksdb_compiler() { echo "${CXX:-c++}"; }

# What decides the archive's bytes, one line each.
rocksdb_inputs() {
    local triple compiler
    triple="$(rustc -vV | sed -n 's/^host: //p')"
    compiler="$(rocksdb_compiler)"
    echo "crate: librocksdb-sys $(rocksdb_version)"
    echo "features: $(rocksdb_requirement | sed 's/.*features = \[\([^]]*\)\].*/\1/' | tr -d '" ')"
    echo "target: ${CARGO_BUILD_TARGET:-$triple}"
    echo "rustflags: ${CARGO_ENCODED_RUSTFLAGS:-${RUSTFLAGS:-$(sed -n 's/^rustflags = //p' "$repository/.cargo/config.toml")}}"
    echo "c++: $compiler $("$compiler" -dumpfullversion -dumpversion 2>/dev/null) ${CXXFLAGS:-}"
}

# The version that Cargo.lock pins.
rocksdb_version() {
    sed -n '/^name = "librocksdb-sys"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$repository/Cargo.lock"
}

# The folder of the archive that fits this machine and this lock file; it need not exist.
rocksdb_dir() {
    local digest
    digest="$(rocksdb_inputs | sha256sum | cut -c1-12)"
    echo "$rocksdb_cache/$(rocksdb_version | tr '+' '-')-$digest"
}
