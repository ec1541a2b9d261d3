#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# C files are as clang-format leaves them: format.sh SOURCE [--fix]
set -euo pipefail
cd "$1"
command -v clang-format >/dev/null || { echo "clang-format is not installed: skipped"; exit 77; }
clang-format --version
mapfile -t files < <(find app docs pipeline shaders tests tools vk -name '*.[ch]' | sort)
if [ "${2:-}" = --fix ]; then
    clang-format -i "${files[@]}"
else
    clang-format --dry-run -Werror "${files[@]}"
fi
