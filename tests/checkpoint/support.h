/* SPDX-License-Identifier: Apache-2.0 */
/** support.h: builds small checkpoint files, good and bad, and says what a refusal must name. */
#ifndef CHECKPOINT_SUPPORT_H
#define CHECKPOINT_SUPPORT_H

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "vk/model/checkpoint_internal.h"

/* ---- bytes ----------------------------------------------------------------------------------- */

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

void put(struct bytes *bytes, const void *data, size_t size);
void put_text(struct bytes *bytes, const char *text);
void put_number(struct bytes *bytes, uint64_t number, unsigned size);
void bytes_clear(struct bytes *bytes);

/* ---- files ------------------------------------------------------------------------------------- */

/** Writes into the suite's temp folder; the path is valid until the next call. */
const char *write_file(const char *name, const void *data, size_t size);
/** A path in the temp folder, valid until the next call. */
const char *temp_path(const char *name);
/** A path in the folder of stored test files, valid until the next call. */
const char *data_path(const char *name);

/** A safetensors file: header text, then data bytes of value 0. */
void build_safetensors(struct bytes *out, const char *header, size_t data_size);

struct zip_item {
    const char *name;
    const void *data;
    size_t size;
    uint64_t claimed; /* uncompressed size to claim; 0: the true one */
    unsigned method;  /* 0 stored, 8 deflated */
    unsigned flags;   /* 1 encrypted */
};
/** A zip archive of stored entries, written byte by byte so that it can lie. */
void build_zip(struct bytes *out, const struct zip_item *items, size_t n);
/** "x/data.pkl" and one storage "x/data/0" of storage_size bytes (floats 1, 2, 3 ...). */
void build_pth(struct bytes *out, const struct bytes *pickle, size_t storage_size);

/* ---- pickles --------------------------------------------------------------------------------------- */

void pickle_text(struct bytes *out, const char *text);
void pickle_int(struct bytes *out, int32_t value);
void pickle_named(struct bytes *out, const char *module, const char *name);
/** _rebuild_tensor_v2 of torch.TYPE with one dimension. */
void pickle_tensor1(struct bytes *out, const char *type, const char *key, int32_t elements, int32_t offset, int32_t size, int32_t stride);
/** {"state_dict": {"w": tensor of 4 floats}}, with the given text spliced in before the end. */
void pickle_simple(struct bytes *out);

/* ---- checks -------------------------------------------------------------------------------------------- */

/** Opening must fail, and the message must have every word of the list separated by '|'. */
void check_refused(const char *path, const char *words);
void check_refused_bytes(const char *name, const struct bytes *bytes, const char *words);
/** The message has every word, is one sentence without newline. */
void check_message(const struct segman_error *error, const char *words);
/** Opens or notes a failure with the message. */
struct checkpoint *check_opens(const char *path);
/** Reads a tensor by its own shape and compares its values. */
void check_values(const struct checkpoint *checkpoint, const char *name, size_t n, const float *expected);

/** Runs suites made of {name, function} pairs; the exit status of main. data: folder of stored files, or NULL. */
struct test {
    const char *name;
    void (*run)(void);
};
int run_tests(const char *suite, const struct test *tests, size_t n, const char *data);

#endif
