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

/* ---- attention: rope, natten, attention ------------------------------------------------------ */

/* A qkv tensor holds q, k and v of `quads` quads each, one after the other; a head is a run of quads of each. */
struct rope_push {
    uint in_stride, in_offset;
    uint out_stride, out_offset;
    uint width, pixels;
    uint quads;      /* C / 4 */
    uint head_quads; /* d / 4 */
    uint out_quads;  /* what is written of a pixel: 3 C / 4 and the padding */
    float scale;     /* of q, d^-0.5 */
};

struct natten_push {
    uint qkv_stride, qkv_offset;
    uint out_stride, out_offset;
    uint height, width;
    uint quads; /* C / 4 */
    uint pad;   /* 1: the quad after the last one is padding, to be zeroed */
};

struct attention_push {
    uint qkv_stride, qkv_offset;
    uint v_stride, v_offset;
    uint out_stride, out_offset;
    uint tokens; /* N = H W */
    uint quads;  /* C / 4 */
    uint pad;    /* as above */
    uint side;   /* tokens of the bias table along one axis: side^2 of the checkpoint's image */
};

#ifdef __STDC__
#undef uint
#endif
#endif
