#!/usr/bin/env bash
# Installs schemathesis into the user's cache, for the test that compares the admin API with its description. Nothing depends
# on it: where it can't be installed, that test says so and is skipped.
set -uo pipefail

version=4.32.5
folder="${XDG_CACHE_HOME:-$HOME/.cache}/dormouse/schemathesis"
installed="$folder/installed-$version"

[ -f "$installed" ] && exit 0
if ! command -v python3 >/dev/null; then
    echo "schemathesis: no python3, so the admin API's contract test will be skipped"
    exit 0
fi
echo "schemathesis: installing $version into $folder"
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
if python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"; then
    touch "$installed"
else
    rm -rf "$folder"
    echo "schemathesis: it can't be installed here, so the admin API's contract test will be skipped"
fi
