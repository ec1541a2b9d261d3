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
};

#ifdef __STDC__
#undef uint
#endif
#endif
