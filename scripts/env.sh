#!/usr/bin/env bash
# Runs a command in the environment that links the compiled RocksDB from the user's cache (see setup.sh).
#
#   scripts/env.sh cargo test          one command
#   eval "$(scripts/env.sh)"           this shell, until it ends
#
# Every cargo call of one target directory should go through here, or none: RocksDB's build script runs again whenever
# these variables change. Without an archive in the cache nothing is set, and cargo compiles RocksDB itself.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/rocksdb.sh"

archive_dir="$(rocksdb_dir)"
if [ -f "$archive_dir/librocksdb.a" ]; then
    export ROCKSDB_LIB_DIR="$archive_dir" ROCKSDB_STATIC=1
fi

if [ $# -gt 0 ]; then
    exec "$@"
elif [ -n "${ROCKSDB_LIB_DIR:-}" ]; then
    printf 'export ROCKSDB_LIB_DIR=%q ROCKSDB_STATIC=1\n' "$ROCKSDB_LIB_DIR"
fi
