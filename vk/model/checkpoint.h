/* SPDX-License-Identifier: Apache-2.0 */
/**
 * checkpoint.h: named weight tensors from a file: .safetensors (F32, F16, BF16, F64; memory-mapped)
 * or mmseg's .pth (zip container, restricted pickle), or procedural ones (reference:
 * procedural_value). A checkpoint is immutable once open; reading from several threads is safe.
 *
 * Files are taken for hostile: whatever they hold, opening and reading them executes nothing, stays
 * within bounded memory and ends in a checkpoint or an error. The one thing to keep is that the file
 * must not be shortened by others while it is open (it is mapped).
 *
 * Limits: 8 dimensions, 262,144 tensors, safetensors headers of 2 MiB, pickles of 32 MiB.
 */
#ifndef MODEL_CHECKPOINT_H
#define MODEL_CHECKPOINT_H

#include "../segman.h"

enum checkpoint_dtype { CHECKPOINT_F32, CHECKPOINT_F16, CHECKPOINT_BF16, CHECKPOINT_F64, CHECKPOINT_OTHER };

struct checkpoint_tensor {
    const char *name; /**< without "module." prefixes */
    enum checkpoint_dtype dtype;
    const char *dtype_name; /**< as safetensors spells it: "F32", "I64", ...; also for .pth */
    uint32_t rank;          /**< 0..8 */
    uint64_t shape[8];
    uint64_t count; /**< product of shape */
};

struct checkpoint;

/** Opens by content, or "synthetic:V[:CLASSES]". Owns the mapping. */
struct checkpoint *checkpoint_open(const char *path, struct segman_error *error);
void checkpoint_destroy(struct checkpoint *checkpoint);

/** True for procedural weights: then no tensor is listed and any name and shape can be read. */
bool checkpoint_is_synthetic(const struct checkpoint *checkpoint);
/** Variant letter(s) and classes of a synthetic checkpoint ("t", 150). */
const char *checkpoint_synthetic_variant(const struct checkpoint *checkpoint, uint32_t *classes);

size_t checkpoint_count(const struct checkpoint *checkpoint);
/** The i-th tensor in the file's order, NULL past the end. */
const struct checkpoint_tensor *checkpoint_at(const struct checkpoint *checkpoint, size_t i);
/** By name; NULL where absent. */
const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

/**
 * Checks that a tensor exists with this shape. The message of a failure names the tensor, what was
 * found and what was expected, and the file.
 */
bool checkpoint_expect(const struct checkpoint *checkpoint, const char *name, uint32_t rank, const uint64_t *shape,
                       struct segman_error *error);
/** As checkpoint_expect, and converts its values into out[product of shape]; a value that is not finite is an error. */
bool checkpoint_read(const struct checkpoint *checkpoint, const char *name, uint32_t rank, const uint64_t *shape, float *out,
                     struct segman_error *error);

/** A tensor's bytes as they lie in the file, at any alignment; NULL for .pth and synthetic checkpoints (goldens hold images). */
const void *checkpoint_raw(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor);

/**
 * Checks that the file holds no tensor beyond these names and the ignored ones (checkpoint_name_ignored).
 * The message of a failure names the first one too many and says how many there are.
 */
bool checkpoint_expect_only(const struct checkpoint *checkpoint, const char *const *names, size_t n, struct segman_error *error);

/**
 * Classes and palette found in the file, or NULL. safetensors: metadata segman.classes,
 * segman.palette, segman.dataset; mmseg: meta.CLASSES and meta.PALETTE, or dataset_meta's classes and
 * palette. The palette is never NULL: where a file has classes alone it is the generated one of
 * dataset_generate_color(). The name is "" where the file has none and the classes are no published list.
 */
const struct segman_dataset *checkpoint_dataset(const struct checkpoint *checkpoint);
/** Metadata text by key (safetensors' __metadata__), NULL where absent; always NULL for .pth. */
const char *checkpoint_metadata(const struct checkpoint *checkpoint, const char *key);

/** Names that carry nothing for inference: num_batches_tracked, rope.angle. */
bool checkpoint_name_ignored(const char *name);

/** n reproducible numbers in [-1, 1) for a name (reference: uniform). */
void procedural_uniform(const char *name, uint64_t n, float *out);
/** The procedural weights (reference: procedural_value). */
void procedural_value(const char *name, uint32_t rank, const uint64_t *shape, float *out);
/** The procedural image (reference: procedural_image): out[3*h*w], planar RGB. */
void procedural_image(uint32_t h, uint32_t w, uint8_t *out);

#endif
