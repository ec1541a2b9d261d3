/* SPDX-License-Identifier: Apache-2.0 */
/**
 * dataset.h: building class lists and palettes inside the library. The public part (open, destroy)
 * is in segman.h. Every dataset made here has all its class names and a palette.
 */
#ifndef MODEL_DATASET_H
#define MODEL_DATASET_H

#include <jansson.h>

#include "../segman.h"

/** A dataset with this many unnamed classes and the generated palette; NULL where memory ran out. classes: 1..SEGMAN_MAX_CLASSES. */
struct segman_dataset *dataset_create(uint32_t classes);

/** False, and *error names source, unless 1..SEGMAN_MAX_CLASSES. */
bool dataset_check_count(uint64_t classes, const char *source, struct segman_error *error);

/** Names are 0..63 bytes of UTF-8 without control characters. source is what a message names (a file). */
bool dataset_set_name(struct segman_dataset *dataset, const char *text, size_t length, const char *source, struct segman_error *error);
/** Names are 1..127 bytes of UTF-8 without control characters. */
bool dataset_set_class(struct segman_dataset *dataset, uint32_t i, const char *text, size_t length, const char *source,
                       struct segman_error *error);
bool dataset_set_color(struct segman_dataset *dataset, uint32_t i, unsigned channel, int64_t value, const char *source,
                       struct segman_error *error);

/**
 * From JSON arrays: classes [text], palette [[r, g, b]]. One of them may be NULL: the palette is
 * generated then, or the classes are called "class 0" and so on (a file with a palette alone fits
 * any dataset). name NULL: guessed.
 */
struct segman_dataset *dataset_from_json(const char *name, const json_t *classes, const json_t *palette, const char *source,
                                         struct segman_error *error);

/** "ade20k", "cityscapes", "coco_stuff164k" where the classes look like one of them, else "". */
const char *dataset_guess_name(const struct segman_dataset *dataset);

/**
 * The palette of data without one: the bits of i + 1, lowest first, go in turn to the high bits of
 * red, green and blue (the rule that PASCAL VOC made customary). Distinct for all 255 classes.
 */
void dataset_generate_color(uint32_t i, uint8_t rgb[3]);

/** True where text is valid UTF-8 without control characters. */
bool dataset_text_valid(const char *text, size_t length);

#endif
