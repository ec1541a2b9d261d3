#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs Debian packages (12 and 13 alike), as root or through sudo; does nothing where all are there.
#   tools/deps.sh [library|app|test|apptest|chroot]...      default: library app
#   tools/deps.sh --list [GROUP]...                 prints the packages instead
# shellcheck disable=SC2034 # the groups are read by their names
set -euo pipefail

# libsegman alone: compiler, shaders, checkpoints, and a driver that runs on any CPU
library=(
    gcc
    glslang-tools
    libc6-dev
    libjansson-dev
    libvulkan-dev
    libzip-dev
    mesa-vulkan-drivers
    meson
    ninja-build
    pkg-config
)

# the program: GStreamer with the plugins that read and write common files, the legend's text
app=(
    fonts-dejavu-core
    gstreamer1.0-libav
    gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-base
    gstreamer1.0-plugins-good
    gstreamer1.0-plugins-ugly
    libglib2.0-dev
    libgstreamer-plugins-base1.0-dev
    libgstreamer1.0-dev
    libpango1.0-dev
    libpng-dev
    libsdl2-dev
)

# what the tests use besides; the libraries are for linking libzip statically
test=(
    clang-format
    g++
    libbz2-dev
    libcunit1-dev
    liblzma-dev
    libssl-dev
    libzstd-dev
    vulkan-validationlayers
)

# what the program's own tests use besides: an X server without a screen, a stream's server
apptest=(
    gstreamer1.0-tools
    libgstrtspserver-1.0-dev
    libx11-dev
    xauth
    xvfb
)

# what tools/trixie.sh uses
chroot=(
    debootstrap
    mount
    util-linux
)

list_only=no
groups=()
for argument in "$@"; do
    case $argument in
    --list) list_only=yes ;;
    library | app | test | apptest | chroot) groups+=("$argument") ;;
    *)
        echo "tools/deps.sh: \"$argument\" is not one of library, app, test, apptest, chroot, --list" >&2
        exit 1
        ;;
    esac
done
[ ${#groups[@]} -gt 0 ] || groups=(library app)

wanted=()
for group in "${groups[@]}"; do
    declare -n members=$group
    wanted+=("${members[@]}")
done
if [ $list_only = yes ]; then
    printf '%s\n' "${wanted[@]}"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "tools/deps.sh: this is no Debian: please install what stands for ${wanted[*]}" >&2
    exit 1
fi

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "tools/deps.sh: neither root nor sudo: please install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
