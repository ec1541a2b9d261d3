#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and draws what the bundled model sees over the bundled clip: tools/demo.sh [OUTPUT]
set -euo pipefail
cd "$(dirname "$0")/.."

output=${1:-segman-demo.mp4}
tools/deps.sh library app
[ -e build/build.ninja ] || meson setup build
ninja -C build

# The CPU driver takes seconds for a frame that a GPU does in milliseconds: a shorter and coarser job there.
job=(--legend)
if ! build/app/segman devices --json 2>/dev/null | grep -qE '"type": *"(discrete|integrated|virtual)'; then
    echo "no GPU here: 3 seconds of the clip at a coarse network size, on the CPU; a GPU does all of it at full size"
    job+=(--frames 90 --size short:256)
fi
build/app/segman assets/clips/room.mp4 "$output" -y "${job[@]}"
echo "done: $output shows the clip with its classes drawn over it"
