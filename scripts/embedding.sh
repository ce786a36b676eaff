#!/usr/bin/env bash
# A service that embeds Dormouse without the feature `ops` builds no HTTP server: cargo's own list of what it links says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

http_crates='^(actix-web|actix-http|actix-tls|axum|h2|hyper|rustls|tiny_http|tokio-rustls|utoipa|warp) '

linked() { cargo tree --locked --package dormouse --edges normal --prefix none "$@"; }

# With the feature there is one: else this looks for the wrong names.
linked --features ops | grep -qE "$http_crates" || {
    echo "embedding: no HTTP server is found even with the feature ops: the list in this script is wrong" >&2
    exit 1
}
if found="$(linked | grep -E "$http_crates" | sort -u)"; then
    echo "embedding: without the feature ops a service would build" >&2
    echo "$found" >&2
    exit 1
fi
echo "embedding: without the feature ops a service builds no HTTP server"
