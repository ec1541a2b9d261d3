#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom: includes.sh SOURCE. A change of the rules belongs in docs/architecture.md too.
#   app -> pipeline/pipeline.h -> vk/segman.h, vk/present.h; model -> frame -> net -> gpu; GLib, GStreamer and SDL not in vk/
set -euo pipefail
cd "$1"

layer_of() { # FILE
    case $1 in
    vk/segman.h | vk/present.h) echo public ;;
    vk/gpu/* | vk/net/* | vk/frame/* | vk/model/*) basename "$(dirname "$1")" ;;
    vk/*) echo library ;;
    *) echo "${1%%/*}" ;;
    esac
}

# What each layer may include: layers, and single files where a layer is not open as a whole.
allowed() { # LAYER
    case $1 in
    app) echo "app pipeline/pipeline.h public" ;;
    pipeline) echo "pipeline public" ;;
    public) echo "public" ;;
    gpu) echo "gpu shaders public" ;;
    net) echo "net gpu shaders public vk/half.h" ;;
    frame) echo "frame net gpu shaders public" ;;
    model) echo "model net public vk/context.h vk/half.h" ;;
    library) echo "library model frame net gpu shaders public" ;;
    shaders) echo "shaders" ;;
    esac
}

forbidden_system() { # LAYER: a pattern of system headers
    case $1 in
    app) echo '^(gst/|vulkan/)' ;;
    pipeline) echo '^(vulkan/|SDL)' ;;
    gpu) echo '^(glib|gio/|gst/|SDL|pango)' ;;
    *) echo '^(glib|gio/|gst/|SDL|pango|vulkan/)' ;;
    esac
}

broken=0
complain() {
    echo "$1"
    broken=$((broken + 1))
}

check_own() { # FILE LAYER INCLUDED
    local target item
    target=$(realpath -m --relative-to=. "$(dirname "$1")/$3")
    [ -e "$target" ] || target=$3
    [ -e "$target" ] || return 0 # generated
    for item in $(allowed "$2"); do
        if [ "$item" = "$target" ] || [ "$item" = "$(layer_of "$target")" ]; then
            return 0
        fi
    done
    complain "$1 includes $target: $2 may include $(allowed "$2") only"
}

count=0
while IFS=: read -r file _ line; do
    layer=$(layer_of "$file")
    count=$((count + 1))
    if [[ $line =~ ^\#[[:space:]]*include[[:space:]]*\"(.*)\" ]]; then
        check_own "$file" "$layer" "${BASH_REMATCH[1]}"
    elif [[ $line =~ ^\#[[:space:]]*include[[:space:]]*\<(.*)\> && ${BASH_REMATCH[1]} =~ $(forbidden_system "$layer") ]]; then
        complain "$file includes <${line#*<}: not in $layer"
    fi
done < <(grep -rnE '^# *include' --include='*.[ch]' app pipeline vk shaders)

[ $count -gt 100 ] || complain "only $count includes were found: is this the source?"
echo "$count includes, $broken against the rules"
[ $broken -eq 0 ]
