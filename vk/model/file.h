/* SPDX-License-Identifier: Apache-2.0 */
/** file.h: opening files that a user names. */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H

#include "../segman.h"

/**
 * Opens a regular file for reading; -1, and *error starts with label, where that cannot be. Folders,
 * devices and pipes are refused, and nothing is waited for.
 */
int file_open(const char *path, const char *label, uint64_t *size, struct segman_error *error);

#endif
