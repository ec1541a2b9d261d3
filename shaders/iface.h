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

/* ---- conv.comp, conv_cpu.comp ------------------------------------------------------------------ */

struct conv_push {
    uint m;                  /* output pixels */
    uint out_w, in_w, in_h;  /* pixels */
    uint x_stride, x_offset; /* input */
    uint y_stride, y_offset; /* output */
    uint r_stride, r_offset; /* residual */
    uint cq;                 /* quads of input channels */
    uint kq;                 /* quads of k: kernel * kernel * cq */
    uint nq;                 /* quads of a row of the weights */
    uint n_store;            /* quads of an output pixel to write */
    uint params;             /* first quad of the epilogue's parameters in the weights' buffer */
    uint pad;                /* pixels on each side */
};

/* ---- dwconv.comp --------------------------------------------------------------------------------- */

struct dwconv_push {
    uint w, h;               /* pixels */
    uint x_stride, x_offset; /* input */
    uint y_stride, y_offset; /* output */
    uint r_stride, r_offset; /* residual */
    uint cq;                 /* quads of channels */
    uint nq;                 /* quads of an output pixel to write: from cq on zeros */
    uint tiles;              /* strips of a row */
    uint total;              /* invocations with work */
    uint params;             /* first quad of the bias in the weights' buffer */
};

/* ---- layer_norm.comp ----------------------------------------------------------------------------- */

struct layer_norm_push {
    uint m;                  /* pixels */
    uint x_stride, x_offset; /* input */
    uint y_stride, y_offset; /* output */
    uint c;                  /* channels */
    uint cq;                 /* quads of channels */
    uint nq;                 /* quads of an output pixel to write */
    float eps;
};

/* ---- pointwise.comp ------------------------------------------------------------------------------ */

struct pointwise_push {
    uint x_stride, x_offset; /* input */
    uint r_stride, r_offset; /* second input of a sum */
    uint y_stride, y_offset; /* output */
    uint cq;                 /* quads of channels */
    uint nq;                 /* quads of an output pixel to write: from cq on zeros */
    uint total;              /* quads to write */
/* ---- scan: scratch is one float32 buffer; its parts (z, products, states, sums) are given as offsets in quads ---- */
struct scan_project_push {
    uint pixels, quads; /* quads: of x's channels */
    uint x_stride, x_offset;
};
struct scan_tile_push {
    uint h, w, quads, pad; /* pad: quads written a pixel, those from `quads` on as zeros */
    uint x_stride, x_offset, y_stride, y_offset;
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
