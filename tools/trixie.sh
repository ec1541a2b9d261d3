#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command in a Debian 13 with Mesa from trixie-backports, whose CPU driver has cooperative matrices:
#   tools/trixie.sh COMMAND [ARGUMENT]...
# As root. The source is /src in there (the working folder), ../shared (where it exists) is /shared. The system is
# made once, by debootstrap from the mirror that apt uses here, in $SEGMAN_TRIXIE (default /var/tmp/segman-trixie).
# Exit code: the command's; 77 where such a system cannot be made or entered here.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
root=${SEGMAN_TRIXIE:-/var/tmp/segman-trixie}
packages=$("$source_dir/tools/deps.sh" --list library test | grep -v '^mesa-vulkan-drivers$')

skip() {
    echo "tools/trixie.sh: skipped: $1" >&2
    exit 77
}

# The mirror that serves this machine's own Debian, whatever else is among apt's sources.
find_mirror() {
    local uri
    # shellcheck disable=SC2016 # apt-get fills these in
    uri=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|Debian|\(https\{0,1\}:.*\)$/\1/p' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
    echo "${uri:-http://deb.debian.org/debian/}"
}

# What this machine's apt needs to reach the mirror (proxies, dates) the other one needs too.
copy_network() { # ROOT
    cp -L /etc/resolv.conf "$1/etc/resolv.conf" 2>/dev/null || true
    apt-config dump Acquire | grep -v '^Acquire::IndexTargets' >"$1/etc/apt/apt.conf.d/90host"
}

mounted=()
attach() { # OPTION... WHAT WHERE
    mkdir -p "${!#}"
    mount "$@" || skip "mount is refused"
    mounted=("${!#}" "${mounted[@]}")
}
detach_all() {
    local place
    for place in "${mounted[@]}"; do
        umount "$place" 2>/dev/null || umount -l "$place" || true
    done
    mounted=()
}
trap detach_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

attach_system() { # ROOT
    attach -t proc proc "$1/proc"
    attach --bind /dev "$1/dev"
}

in_chroot() { # ROOT COMMAND...
    local place=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM="${TERM:-dumb}" \
        chroot "$place" "$@"
}

make_root() {
    local fresh=$root.new mirror
    mirror=$(find_mirror)
    echo "tools/trixie.sh: making a Debian 13 in $root from $mirror"
    rm -rf --one-file-system "$fresh"
    mkdir -p "$fresh"
    debootstrap --variant=minbase trixie "$fresh" "$mirror" >"$fresh.log" 2>&1 || { tail -n 5 "$fresh.log" >&2; skip "debootstrap fails"; }
    printf 'deb %s %s main\n' "$mirror" trixie "$mirror" trixie-backports >"$fresh/etc/apt/sources.list"
    copy_network "$fresh"
    attach_system "$fresh"
    {
        in_chroot "$fresh" apt-get update
        # shellcheck disable=SC2086
        in_chroot "$fresh" apt-get install -y --no-install-recommends $packages
        in_chroot "$fresh" apt-get install -y --no-install-recommends -t trixie-backports mesa-vulkan-drivers
        in_chroot "$fresh" apt-get clean
    } >>"$fresh.log" 2>&1 || { tail -n 5 "$fresh.log" >&2; skip "its packages cannot be installed"; }
    detach_all
    mv "$fresh" "$root"
    rm -f "$fresh.log"
}

[ $# -gt 0 ] || { echo "tools/trixie.sh: a command is expected" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || skip "it takes root"
# In a mount namespace of its own the kernel unmounts everything even if this script is killed.
if [ -z "${SEGMAN_TRIXIE_INSIDE:-}" ] && unshare --mount --propagation private true 2>/dev/null; then
    SEGMAN_TRIXIE_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
fi
"$source_dir/tools/deps.sh" chroot >/dev/null || skip "debootstrap cannot be installed"
[ -e "$root/etc/debian_version" ] || make_root

attach_system "$root"
attach --bind "$source_dir" "$root/src"
[ ! -d "$source_dir/../shared" ] || attach --bind "$source_dir/../shared" "$root/shared"
# shellcheck disable=SC2016
in_chroot "$root" sh -c 'cd /src && exec "$@"' sh "$@"
