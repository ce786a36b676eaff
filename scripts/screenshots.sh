#!/usr/bin/env bash
# Takes the pictures of the console in docs/images, with a Chromium without a window on a busy store: about four minutes on
# a quiet machine. Needs chromium and chromedriver (Debian: chromium chromium-driver); with pngquant the files get small.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
directory="${1:-docs/images}"

for program in chromium chromedriver; do
    command -v "$program" >/dev/null || {
        echo "screenshots: no $program. Install it (Debian: apt-get install chromium chromium-driver)." >&2
        exit 1
    }
done

scripts/env.sh cargo run --package dormouse-ops --example console -- --pictures "$directory"

if command -v pngquant >/dev/null; then
    pngquant --force --ext .png --skip-if-larger --speed 1 --quality 70-95 "$directory"/console-*.png || [ $? -eq 98 ]
else
    echo "screenshots: no pngquant: the files stay as large as they are"
fi
ls -l "$directory"/console-*.png
