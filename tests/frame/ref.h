/* SPDX-License-Identifier: Apache-2.0 */
/** ref.h: what vk/frame computes, in plain C and double, independent of it. Pictures are described by segman_planes. */
#ifndef TESTS_FRAME_REF_H
#define TESTS_FRAME_REF_H

#include "vk/segman.h"

/** RGB of a pixel in 0..255, clamped, not rounded. */
void ref_rgb(const struct segman_frame_format *format, const struct segman_planes *planes, uint32_t x, uint32_t y, double rgb[3]);
/** Y, Cb, Cr of an RGB colour, clamped to 0..255, not rounded. */
void ref_ycbcr(enum segman_matrix matrix, enum segman_range range, const uint8_t rgb[3], double out[3]);
/** Resizes packed 8-bit RGB (3 bytes a pixel), value at x, y of a picture of net_w x net_h. */
void ref_resize(const uint8_t *rgb, uint32_t w, uint32_t h, uint32_t net_w, uint32_t net_h, bool area, uint32_t x, uint32_t y,
                double out[3]);

/** Logits (classes, h, w), planar, of the crop at x, y of crop_w x crop_h pixels. */
struct ref_crop {
    const float *logits;
    uint32_t x, y;
};
struct ref_logits {
    uint32_t classes, w, h, crop_w, crop_h;
    uint32_t net_w, net_h;
    const struct ref_crop *crop;
    uint32_t n_crops;
};
/** Mean logits of all classes at a pixel of a frame; returns the number of crops that cover it. */
uint32_t ref_logits_at(const struct ref_logits *l, uint32_t frame_w, uint32_t frame_h, uint32_t x, uint32_t y, double *out);

/** What a view is made of. Components and colours are in the view's colours. */
struct ref_view {
    enum segman_view view;
    uint32_t width, height; /**< of the frame */
    const uint8_t *labels;
    uint32_t labels_stride;
    const struct segman_style *style;
    const struct segman_overlay *overlay; /**< rgba NULL: none */
    /** Component k of the source at a pixel of the frame, of black, of a colour. */
    double (*source)(void *user, uint32_t k, uint32_t x, uint32_t y);
    double (*colour)(void *user, uint32_t k, const uint8_t rgb[3]);
    void *user;
};
/** Component k over n x n pixels of the view from x, y on (as many as exist), rounded as the view's byte. */
uint8_t ref_view_at(const struct ref_view *v, uint32_t k, uint32_t n, uint32_t x, uint32_t y);

#endif
