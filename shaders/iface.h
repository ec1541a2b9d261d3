/* SPDX-License-Identifier: Apache-2.0 */
/**
 * iface.h: push constants, compiled both as C and as GLSL. One section an op. Strides and offsets of tensors are in
 * quads (four channels); sizes in pixels unless said otherwise.
 */
#ifndef SHADERS_IFACE_H
#define SHADERS_IFACE_H

#ifdef __STDC__
#include <stdint.h>
#define uint uint32_t
#endif

/* ---- frames (vk/frame): offsets and strides of planes in bytes unless said otherwise --------------------------- */

struct frame_convert_push { /* YCbCr -> packed RGBA8, integer arithmetic: coefficients are scaled by 2^16 */
    uint width, height;
    uint y_offset, y_stride;
    uint cb_offset, cr_offset, c_stride;
    uint out_stride; /* pixels, a multiple of 4 */
    int y_black;     /* code of black */
    int y_gain;      /* of every component */
    int cr_red, cb_green, cr_green, cb_blue;
};

struct frame_input_push { /* packed RGB -> network input */
    uint src_width, src_height;
    uint src_stride; /* pixels */
    uint net_width, net_height; /* of the whole resized image */
    uint x0, y0;                /* of the crop in it */
    uint width, height;         /* of the tensor */
    uint stride4, offset4;
    float mean_r, mean_g, mean_b;
    float std_r, std_g, std_b;
};

struct frame_labels_push { /* logits -> label map */
    uint width, height;         /* of the frame */
    uint net_width, net_height; /* of the whole resized image */
    uint ratio;                 /* pixels of the resized image from logit to logit */
    uint grid_width, grid_height; /* logits of a crop */
    uint stride4, offset4;
    uint classes;
    uint label_stride;
    uint crops;
};

struct frame_blend_push { /* packed RGB -> packed RGB view */
    uint width, height;           /* of the frame */
    uint view_width, view_height; /* of the view */
    uint src_stride, view_stride; /* pixels */
    uint label_stride;
};

struct frame_ycbcr_push { /* YCbCr planes -> planes of the view */
    uint width, height;           /* of the frame */
    uint view_width, view_height; /* of the view */
    uint y_offset, y_stride, cb_offset, cr_offset, c_stride; /* of the frame */
    uint view_y_offset, view_y_stride, view_cb_offset, view_cr_offset, view_c_stride;
    uint label_stride;
    uint black; /* Y | Cb << 8 | Cr << 16 */
};

/* Words of the style buffer: rectangle of the overlay picture in the view, then colour and weight of each label. */
#define FRAME_STYLE_X       0
#define FRAME_STYLE_Y       1
#define FRAME_STYLE_WIDTH   2
#define FRAME_STYLE_HEIGHT  3
#define FRAME_STYLE_COLOUR  16  /* [256] three bytes, in the view's own order R G B or Y Cb Cr */
#define FRAME_STYLE_WEIGHT  272 /* [256] 0..65536 */
#define FRAME_STYLE_WORDS   528

#define FRAME_VIEW_OVERLAY  0
#define FRAME_VIEW_MASK     1
#define FRAME_VIEW_SIDE     2
#define FRAME_VIEW_SOURCE   3

#ifdef __STDC__
#undef uint
#endif
#endif
