#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Counts what meson's test logs hold (testlog.json, an object a line): tools/summary.sh LOG...
# Ends with "N passed, N failed[, N skipped]"; exit code 1 where a test failed or none ran.
set -euo pipefail

count() { # RESULTS-AS-AN-EXPRESSION LOG...; quotes inside a test's own output are escaped there and do not match
    local results=$1
    shift
    cat -- "$@" | grep -cE "\"result\": \"($results)\"" || true
}

[ $# -gt 0 ] || { echo "tools/summary.sh: a testlog.json is expected" >&2; exit 1; }
passed=$(count 'OK|EXPECTEDFAIL' "$@")
skipped=$(count 'SKIP|IGNORED' "$@")
failed=$(count 'FAIL|ERROR|TIMEOUT|INTERRUPT|UNEXPECTEDPASS|PENDING|RUNNING' "$@")
line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
echo "$line"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
