/* SPDX-License-Identifier: Apache-2.0 */
/**
 * npy.h: writes NumPy arrays.
 */
#ifndef APP_NPY_H
#define APP_NPY_H

#include "vk/segman.h"

/** Writes float32 values of a shape, row-major. The file has its name only when it is complete. */
bool app_npy_write(const char *path, bool overwrite, const float *values, const uint32_t *shape, size_t rank, struct segman_error *error);

#endif
