#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, runs every test and counts: tools/test.sh [--build DIR] [ARGUMENT-OF-MESON-TEST]...
set -euo pipefail
cd "$(dirname "$0")/.."

build=build
if [ "${1:-}" = --build ]; then
    build=$2
    shift 2
fi
tools/deps.sh library app test apptest
# One that tools/demo.sh made, on a machine without CUnit, has no tests.
again=()
[ ! -e "$build/build.ninja" ] || again=(--reconfigure)
meson setup "${again[@]}" -Dtests=enabled "$build"
ninja -C "$build"
rm -f "$build/meson-logs/testlog.json"
status=0
meson test -C "$build" --no-rebuild --print-errorlogs "$@" || status=$?
tools/summary.sh "$build/meson-logs/testlog.json" || exit 1
exit $status
