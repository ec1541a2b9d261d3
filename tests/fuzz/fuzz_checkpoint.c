/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer entry, built only by clang:
 *   CC=clang meson setup build-fuzz -Db_sanitize=address,undefined -Db_lundef=false
 *   ninja -C build-fuzz tests/checkpoint/fuzz_checkpoint
 *   build-fuzz/tests/checkpoint/fuzz_checkpoint -max_len=8192 CORPUS tests/checkpoint/data
 */
#include "exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exercise_checkpoint(data, size);
    exercise_pickle(data, size);
    return 0;
}
