/* SPDX-License-Identifier: Apache-2.0 */
/** golden.h: golden files: an image, and what the reference computed from it. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "vk/model/checkpoint.h"

struct golden {
    struct checkpoint *file;
    char variant[8];
    uint32_t classes, width, height;
    const uint8_t *image;   /* planar RGB: the file's, else the procedural one */
    uint8_t *made;          /* owns the procedural one */
    const uint8_t *labels;  /* width * height */
    const uint16_t *margin; /* float16: distance of the two largest resized logits */
    char *tensor[256];      /* names of the float tensors */
    size_t n_tensors;
};

bool golden_open(struct golden *g, const char *path, struct segman_error *error);
void golden_close(struct golden *g);
/** The i-th float tensor: malloc'ed, *count values; NULL where it cannot be read. */
float *golden_tensor(const struct golden *g, size_t i, uint64_t *count);

/** Fills RGBA planes with the image. */
void golden_fill(const struct golden *g, const struct segman_planes *planes);

/** ||a - b|| / ||b||; infinity for NaN. */
double relative_l2(const float *a, const float *b, uint64_t n);

/** Shares of pixels whose label equals the golden one: of all, and of those with a margin above 0.25. */
void golden_compare_labels(const struct golden *g, const uint8_t *labels, uint32_t stride, double *all, double *clear);

#endif
