#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles by itself, the public ones as C++ too: headers.sh SOURCE [FLAG]... (compilers: $CC, $CXX)
set -euo pipefail
cd "$1"
shift
flags=(-fsyntax-only -Wall -Wextra -Werror -I. "$@")

folders=(vk shaders tests)
for folder in app pipeline; do # left out where the program is not built: what they include is not there
    [[ " $* " != *" -DHAVE_APP "* ]] || folders+=("$folder")
done

broken=0 count=0
try() { # COMPILER LANGUAGE STANDARD HEADER
    count=$((count + 1))
    echo "#include \"$4\"" | $1 "${flags[@]}" -x "$2" "-std=$3" - || { echo "$4 does not compile alone as $3"; broken=$((broken + 1)); }
}

while read -r header; do
    [[ $header != tests/app/* || " $* " == *" -DHAVE_APP "* ]] || continue
    try "${CC:-cc}" c gnu11 "$header"
done < <(find "${folders[@]}" -name '*.h' | sort)
for header in vk/segman.h vk/present.h; do
    [ -e $header ] || continue
    try "${CC:-cc}" c c11 $header
    if command -v "${CXX:-c++}" >/dev/null; then
        try "${CXX:-c++}" c++ c++11 $header
    else
        echo "no C++ compiler: $header was not tried with one"
    fi
done
echo "$count compilations, $broken failed"
[ $broken -eq 0 ]
