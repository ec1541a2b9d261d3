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

/* ---- scan: scratch is one float32 buffer; its parts (z, products, states, sums) are given as offsets in quads ---- */
struct scan_project_push {
    uint pixels, quads, outputs; /* quads of x's channels, of z */
    uint x_stride, x_offset;
};
struct scan_tile_push {
    uint h, w, quads, pad; /* pad: quads written a pixel, those from `quads` on as zeros */
    uint x_stride, x_offset, y_stride, y_offset;
    uint ranks; /* quads of z a direction */
    uint products, states;
};
struct scan_carry_push {
    uint quads;
    uint rows, columns; /* chunks of a sequence along the rows, along the columns */
    uint segment;       /* chunks of a segment */
    uint segments;      /* room a sequence has for segments in sums */
    uint products, states, sums;
};

/* ---- copy (one input of a concat), unshuffle, resize ---- */
struct copy_push {
    uint h, w;
    uint channels, shift; /* of the input; its first channel's place in its first output quad */
    uint quads;           /* output quads written a pixel: all that the input touches, then zeros */
    uint x_stride, x_offset, y_stride, y_offset;
};
struct unshuffle_push {
    uint h, w, channels, quads; /* output size, input channels, output quads written */
    uint x_stride, x_offset, y_stride, y_offset;
};
struct resize_push {
    uint in_h, in_w, h, w;
    uint quads, pad; /* quads of channels; quads written, those from `quads` on as zeros */
    uint x_stride, x_offset, y_stride, y_offset;
    float scale_y, scale_x; /* input pixels an output pixel */
};

/* ---- pool ---- */
struct pool_push {
    uint pixels, quads, slice; /* slice: pixels a workgroup sums */
    uint x_stride, x_offset;
};
struct pool_sum_push {
    uint slices, quads, pad;
    uint y_offset;
    float scale; /* 1 / pixels */
};

#ifdef __STDC__
#undef uint
#endif
#endif
