/* SPDX-License-Identifier: Apache-2.0 */
/** exercise.h: does with hostile bytes all that can be done with a checkpoint. */
#ifndef FUZZ_EXERCISE_H
#define FUZZ_EXERCISE_H

#include <stdlib.h>
#include <string.h>

#include "vk/model/checkpoint_internal.h"
#include "vk/model/pickle.h"

/* What a caller would read: it knows the shapes that it wants, and they are not absurd. */
#define EXERCISE_MAX_VALUES 65536

static inline void exercise_tensor(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor)
{
    struct segman_error error = {0};
    if (checkpoint_find(checkpoint, tensor->name) != tensor)
        abort();
    if (tensor->count > EXERCISE_MAX_VALUES)
        return;
    float *values = malloc(tensor->count * sizeof(*values) + 1);
    if (!values)
        return;
    if (!checkpoint_read(checkpoint, tensor->name, tensor->rank, tensor->shape, values, &error) && !error.message[0])
        abort();
    free(values);
}

/** True where the bytes opened as a checkpoint. Aborts where a failure has no message. */
static inline bool exercise_checkpoint(const uint8_t *bytes, size_t size)
{
    struct segman_error error = {0};
    size_t length = 0;
    /* A copy of exactly this size, so that a sanitizer sees any read beyond the end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return false;
    if (size)
        memcpy(copy, bytes, size);
    struct checkpoint *checkpoint = checkpoint_open_bytes(copy, size, "fuzzed", &error);
    bool opened = checkpoint != NULL;
    if (!opened && !error.message[0])
        abort();
    for (size_t i = 0; opened && i < checkpoint_count(checkpoint) && i < 64; i++)
        exercise_tensor(checkpoint, checkpoint_at(checkpoint, i));
    const struct segman_dataset *dataset = opened ? checkpoint_dataset(checkpoint) : NULL;
    for (uint32_t i = 0; dataset && i < dataset->classes; i++)
        length += strlen(dataset->class_names[i]) + dataset->palette[i][0];
    if (dataset && length == 0)
        abort();
    checkpoint_destroy(checkpoint);
    free(copy);
    return opened;
}

/** The pickle machine alone: an archive's checksum keeps a fuzzer from it. */
static inline void exercise_pickle(const uint8_t *bytes, size_t size)
{
    char why[400] = "";
    struct pickle *pickle = pickle_parse(bytes, size, why, sizeof(why));
    if (!pickle && !why[0])
        abort();
    if (pickle)
        pickle_get(pickle_get(pickle_root(pickle), "meta"), "CLASSES");
    pickle_destroy(pickle);
}

#endif
