/* SPDX-License-Identifier: Apache-2.0 */
/**
 * checkpoint_internal.h: what checkpoint.c shares with the readers of the two file formats. The
 * readers list tensors with checkpoint_add(); values are converted only when they are asked for.
 */
#ifndef MODEL_CHECKPOINT_INTERNAL_H
#define MODEL_CHECKPOINT_INTERNAL_H

#include <jansson.h>

#include "checkpoint.h"

#define CHECKPOINT_MAX_RANK 8
/** Most tensors of a file; SegMAN-L has about 1,500. */
#define CHECKPOINT_MAX_TENSORS (1u << 18)

/** An element type: the file's word for it, ours, and its size. */
struct checkpoint_type {
    const char *name;
    enum checkpoint_dtype dtype;
    uint32_t bytes;
};

struct checkpoint_entry {
    struct checkpoint_tensor tensor;
    char *stored_name; /* as in the file; tensor.name points into it */
    uint32_t element_bytes;
    uint64_t offset;     /* safetensors: bytes into the data; pth: elements into the storage */
    uint64_t strides[8]; /* pth: elements */
    uint64_t storage;    /* pth: index of the zip entry */
};

struct pth;

struct checkpoint {
    char label[128];      /* the path, shortened, for messages */
    const uint8_t *bytes; /* the whole file */
    uint64_t size;
    bool mapped; /* bytes is to be unmapped */
    struct checkpoint_entry *entries;
    size_t count, capacity;
    const struct checkpoint_tensor **sorted; /* by name */
    struct segman_dataset *dataset;
    json_t *metadata;    /* object of texts, or NULL */
    const uint8_t *data; /* safetensors: where offsets count from */
    struct pth *pth;     /* pth: the open archive */
    bool synthetic;
    char variant[4];
    uint32_t classes;
};

/* ---- checkpoint.c -------------------------------------------------------------------------- */

/** Opens a file that is already in memory; label stands for the path. bytes must outlive the checkpoint. */
struct checkpoint *checkpoint_open_bytes(const uint8_t *bytes, uint64_t size, const char *label, struct segman_error *error);
/**
 * Adds a tensor and checks rank, counts and sizes against overflow. The entry is valid until the
 * next call. NULL: *error is filled.
 */
struct checkpoint_entry *checkpoint_add(struct checkpoint *checkpoint, const char *name, size_t length, const struct checkpoint_type *type,
                                        uint32_t rank, const uint64_t *shape, struct segman_error *error);
/** As segman_fail, with the file in front. */
bool checkpoint_fail(const struct checkpoint *checkpoint, struct segman_error *error, enum segman_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- checkpoint_convert.c -------------------------------------------------------------------- */

/**
 * Converts n values that lie at any alignment; returns how many were converted before the first that
 * is not a finite float32 (n: all).
 */
uint64_t checkpoint_convert(enum checkpoint_dtype dtype, const uint8_t *from, uint64_t n, float *to);

/** Text from a file made fit for a message: printable, at most size - 1 bytes, the tail kept. Returns out. */
const char *checkpoint_clean(char *out, size_t size, const char *text, size_t length);
/** "64x32x3x3", or "scalar". Returns out. */
const char *checkpoint_shape_text(char *out, size_t size, uint32_t rank, const uint64_t *shape);
bool checkpoint_ends_with(const char *text, const char *end);
/** a * b into *product; false on overflow. */
bool checkpoint_multiply(uint64_t a, uint64_t b, uint64_t *product);

/* ---- readers --------------------------------------------------------------------------------- */

bool synthetic_open(struct checkpoint *checkpoint, const char *spec, struct segman_error *error);
bool safetensors_open(struct checkpoint *checkpoint, struct segman_error *error);
bool pth_open(struct checkpoint *checkpoint, struct segman_error *error);
void pth_close(struct pth *pth);
/** Converts a tensor's values; safe from several threads. */
bool pth_read(const struct checkpoint *checkpoint, const struct checkpoint_entry *entry, float *out, struct segman_error *error);
/** The message about the i-th value of a tensor. */
bool checkpoint_fail_value(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor, uint64_t i,
                           struct segman_error *error);

#endif
