#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source file names its licence, and none a path of somebody's machine: text.sh SOURCE
set -euo pipefail
cd "$1"

sources() {
    find .ci app assets docs pipeline shaders tests tools vk -type f \( -name '*.[ch]' -o -name '*.comp' -o -name '*.glsl' \
        -o -name '*.sh' -o -name '*.py' -o -name '*.in' -o -name '*.supp' -o -name '*.txt' -o -name meson.build -o -name run \) \
        ! -name assets.path.in 2>/dev/null
    echo meson.build
    echo meson_options.txt
}

broken=0 count=0
while read -r file; do
    count=$((count + 1))
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0' || { echo "$file: no SPDX line in its first three"; broken=$((broken + 1)); }
    # a temporary file has its folder from the environment, the rest from options
    if grep -nE '(^|[^A-Za-z0-9_.])/(work|home|root|opt|Users|mnt)/|"/tmp/' "$file"; then
        echo "$file: a path of one machine"
        broken=$((broken + 1))
    fi
done < <(sources | grep -v '^tests/style/text\.sh$')
[ $count -gt 100 ] || { echo "only $count files were found: is this the source?"; broken=$((broken + 1)); }
echo "$count files, $broken complaints"
[ $broken -eq 0 ]
