#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `meson install` gives works by itself, somewhere else: install.sh SOURCE BUILD SANITIZERS|none
#  - docs/example.c builds against the shared and the static library through pkg-config, and runs
#  - the shared library exports what segman.h declares, nothing else
#  - the program finds its data
set -euo pipefail
source_dir=$1 build=$2 sanitize=$3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $1"
    exit 1
}

meson install -C "$build" --no-rebuild --destdir "$work/root" >"$work/log" 2>&1 || { cat "$work/log"; fail "meson install"; }
pc=$(find "$work/root" -name segman.pc)
[ -n "$pc" ] || fail "no segman.pc was installed"
prefix=$(sed -n 's/^prefix=//p' "$pc")
library=$(dirname "$(dirname "$pc")")
model=$work/root$prefix/share/segman/models/segman_t_indoor24.safetensors
export PKG_CONFIG_PATH=${pc%/*}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
flags=(-std=c11 -Wall -Wextra -Werror)
# as in the other sanitized tests, drivers stay loaded: what they never free is theirs, not the example's
[ "$sanitize" = none ] || flags+=("-fsanitize=$sanitize" "$source_dir/tests/keep_loaded.c")

# the header's functions are the library's symbols
grep -hoE '^SEGMAN_API [^;(]*' "$work/root$prefix"/include/segman/*.h | grep -oE '[a-z0-9_]+$' | sort >"$work/declared"
nm -D --defined-only "$library/libsegman.so" | awk '$2 ~ /[TDBR]/ { print $3 }' | grep -v '^__' | sort >"$work/exported"
diff "$work/declared" "$work/exported" || fail "declared (<) and exported (>) functions differ"
grep -q . "$work/exported" || fail "nothing is exported"

# an embedder's view; the folders in segman.pc are those of the final place, hence --define-variable
get() { pkg-config --define-variable=prefix="$work/root$prefix" "$@" segman; }
read -ra cflags < <(get --cflags)
read -ra shared < <(get --libs)
read -ra static < <(get --libs --static)
read -ra cc <<<"${CC:-cc}"
"${cc[@]}" "${flags[@]}" "${cflags[@]}" "$source_dir/docs/example.c" "${shared[@]}" -o "$work/example"
"${cc[@]}" "${flags[@]}" "${cflags[@]}" "$source_dir/docs/example.c" "${static[@]/-lsegman/$library/libsegman.a}" -o "$work/example_static"
if ldd "$work/example_static" | grep -q libsegman; then
    fail "the static example wants the shared library"
fi

[ -e "$model" ] || fail "the model was not installed"
head -c $((64 * 48 * 4)) /dev/zero >"$work/picture.rgba"
export LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
for program in example example_static; do
    "$work/$program" "$model" 64 48 <"$work/picture.rgba" >"$work/out" || fail "$program"
    sum=$(awk '{ sum += $1 } END { print sum }' "$work/out")
    awk -v sum="$sum" 'BEGIN { exit !(sum > 99.5 && sum < 100.5) }' || { cat "$work/out"; fail "$program: shares add up to $sum"; }
    [ $program = example ] || continue
    if head -c 100 /dev/zero | "$work/$program" "$model" 64 48 2>"$work/err"; then
        fail "$program takes a picture that ends early"
    fi
    grep -q 'ends early' "$work/err" || fail "$program says nothing of a picture that ends early"
done

program=$work/root$prefix/bin/segman
if [ -e "$program" ]; then
    cd "$work"
    for data in "inspect segman_t_indoor24" "inspect synthetic:t:19"; do
        # shellcheck disable=SC2086
        env -i HOME="$work" PATH="$PATH" ${LSAN_OPTIONS:+LSAN_OPTIONS="$LSAN_OPTIONS"} "$program" $data >"$work/out" || fail "segman $data, installed"
    done
    grep -q 'road' "$work/out" || fail "segman, installed, does not find its datasets"
fi
echo "installed: $(wc -l <"$work/exported") functions exported, examples run"
