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

/* ---- conv.comp, conv_cpu.comp, conv_coop.comp, conv_lanes.comp ----------------------------------- */

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
    uint rq;                 /* quads of the residual's channels: behind them a view has others */
    uint turns;              /* first quad of the rotary table in the weights' buffer */
    uint turn_quads;         /* C / 4 of a qkv tensor: so many quads of q, then of k, are rotated */
    /* conv_cpu alone, in place of constants: one pipeline for all of them. */
    uint kernel, stride;
    uint rope;                 /* d / 4 of a qkv tensor's heads */
    uint run_rows, run_pixels; /* workgroup's invocations = run_rows * out_w + run_pixels */
};

/* ---- dwconv.comp, dwconv_tile.comp --------------------------------------------------------------- */

/* What is added to the result. */
#define DWCONV_PLAIN 0
#define DWCONV_OTHER 1 /* the residual's tensor */
#define DWCONV_SELF  2 /* the input */

struct dwconv_push {
    uint w, h;               /* pixels */
    uint x_stride, x_offset; /* input */
    uint y_stride, y_offset; /* output */
    uint r_stride, r_offset; /* residual */
    uint cq;                 /* quads of channels */
    uint nq;                 /* quads of an output pixel to write: from cq on zeros */
    uint params;             /* first quad of the bias in the weights' buffer */
    uint inverse;            /* 2^31 / nq, rounded up: exact for products of strips and nq * nq below 2^31 */
    uint kernel;             /* rows of the kernel */
};

/* ---- layer_norm.comp ----------------------------------------------------------------------------- */

struct layer_norm_push {
    uint m;                  /* pixels */
    uint x_stride, x_offset; /* input */
    uint y_stride, y_offset; /* output */
    uint r_stride, r_offset; /* residual */
    float eps;
};

/* ---- dwnorm.comp, dwnorm_cpu.comp ---------------------------------------------------------------- */

struct dwnorm_push {
    uint w, h;               /* pixels */
    uint x_stride, x_offset; /* input */
    float eps;
    uint c, cq, nq; /* dwnorm_cpu: channels, quads of the input's pixels, of the outputs' */
    float inverse_c;
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

/* ---- scan_*.comp: quads and pairs of channels ---------------------------------------------------- */

struct scan_project_push {
    uint pixels, w, h;
    uint plane, outputs; /* quads of a plane of z, planes */
    uint x_stride, x_offset;
};
struct scan_whole_push {
    uint pixels, w, h;
    uint pairs, plane;
    uint x_stride, x_offset, y_stride, y_offset;
};
struct scan_steps_push {
    uint pixels, w, h;
    uint x_stride, x_offset;
};
struct scan_planes_push {
    uint rows;  /* planes of u in one order: channels, with zeros */
    uint width; /* channels of a vector */
    uint y_stride, y_offset;
};
struct scan_chunks_push {
    uint pixels, w, h;
    uint chunks; /* of a sequence */
    uint x_stride, x_offset;
};
struct scan_sum_push {
    uint pixels, w, h;
    uint chunks, quads;
    uint c, nq; /* channels; quads written a pixel, those from `quads` on as zeros */
    uint y_stride, y_offset, r_stride, r_offset;
    float eps;
};
struct scan_proj_push {
    uint pixels, w, h;
    uint chunks;     /* of a sequence, as above */
    uint nq;         /* quads of a row of the weights */
    uint n_store;    /* quads written a pixel */
    uint bias, norm; /* octs of the weights' buffer at which they begin */
    uint x_stride, x_offset, base_stride, base_offset;
    uint y_stride, y_offset, r_stride, r_offset;
    float eps;
};
struct scan_tile_push { /* scan_local.comp, scan_output.comp */
    uint h, w, quads;
    uint pad;   /* quads written a pixel, those from `quads` on as zeros */
    uint plane; /* places of a plane of z */
    uint x_stride, x_offset, y_stride, y_offset;
};
struct scan_whole_tile_push { /* scan_tile_states.comp, scan_tile_sum.comp */
    uint h, w, quads;
    uint c, pad; /* channels; quads written a pixel, those from `quads` on as zeros */
    uint plane;  /* places of a plane of z */
    uint x_stride, x_offset, y_stride, y_offset, r_stride, r_offset;
    float eps;
};
struct scan_carry_push {
    uint quads;
    uint rows, columns; /* chunks of a sequence along the rows, along the columns */
    uint sums;          /* quad at which the segments' sums begin, behind the states */
};

/* ---- copy.comp (one input of a concat), unshuffle.comp, resize.comp ------------------------------ */

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
    uint h, w, quads; /* output; quads of channels: those written behind them are zeros */
    uint y_stride, y_offset;
    uint in_h[4], in_w[4], x_stride[4], x_offset[4]; /* RESIZE_MAX_MAPS inputs */
    float scale_y[4], scale_x[4];                    /* input pixels an output pixel */
};

/* ---- pool.comp, pool_sum.comp -------------------------------------------------------------------- */

struct pool_push {
    uint pixels, quads, slice; /* slice: pixels a workgroup sums */
    uint x_stride, x_offset;
};
struct pool_sum_push {
    uint slices, quads, pad;
    uint y_offset;
    float scale; /* 1 / pixels */
};

/* ---- touch.comp ----------------------------------------------------------------------------------- */

#define TOUCH_WG   256
#define TOUCH_EACH 8 /* octs of an invocation */

struct touch_push {
    uint octs;  /* of 8 halves or 4 floats: 16 bytes */
    uint never; /* a word of weights that are no numbers */
};

/* ---- attention: rope.comp, natten*.comp, attention*.comp ----------------------------------------- */

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
    uint quads;  /* C / 4 */
    uint pad;    /* 1: the quad after the last one is padding, to be zeroed */
    uint window; /* natten_cpu */
};

struct natten_coop_push { /* natten_coop.comp, natten_lanes.comp */
    uint qkv_stride, qkv_offset;
    uint out_stride, out_offset;
    uint height, width;
    uint quads, pad;         /* as above */
    uint groups_x, groups_y; /* the map in groups of queries */
    uint columns, rows;      /* kinds of the bias */
    uint first_x, last_x;    /* groups whose windows are not cut by the map's border: all of one kind */
    uint first_y, last_y;
};

struct attention_push {
    uint qkv_stride, qkv_offset;
    uint v_stride, v_offset;
    uint r_stride, r_offset; /* residual */
    uint out_stride, out_offset;
    uint tokens; /* N = H W */
    uint quads;  /* C / 4 */
    uint pad;    /* as above */
    uint side;   /* tokens of the bias table along one axis: side^2 of the checkpoint's image */
};

struct attention_coop_push {
    uint qkv_offset, v_offset;
    uint r_stride, r_offset; /* residual */
    uint out_stride, out_offset;
    uint tokens, quads, pad; /* as above */
    uint steps;              /* of keys */
    uint query_blocks;       /* of 16 queries in the bias table */
    uint columns;            /* of the bias table, in quads */
    uint weights;            /* first oct of the keys' weights behind it */
    int slope, start;        /* the first column that block b of 16 keys needs: (b * slope + start) / 2^16 */
};

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
    uint src_stride;            /* pixels */
    uint net_width, net_height; /* of the whole resized image */
    uint x0, y0;                /* of the crop in it */
    uint width, height;         /* of the tensor: 8 channels a pixel */
    float mean_r, mean_g, mean_b;
    float std_r, std_g, std_b;
};

#define FRAME_INPUT_COPY     0 /* kinds of a resize */
#define FRAME_INPUT_BILINEAR 1
#define FRAME_INPUT_AREA     2
#define FRAME_INPUT_ROWS     4 /* of an invocation */

struct frame_motion_push {        /* network input -> difference of each cell from the picture of its evidence */
    uint grid_width, grid_height; /* cells of a crop: its logits */
    uint ratio;                   /* pixels of the input a cell, along each axis */
    uint width, stride4, offset4; /* of the input */
    uint first;                   /* cell of the crop in the buffers of all */
    float std_r, std_g, std_b;
};

struct frame_evidence_push { /* logits -> evidence over time */
    uint grid_width, grid_height;
    uint quads; /* of classes; of a cell of the evidence */
    uint stride4, offset4;
    uint first;
    float smoothing; /* most weight of the past */
};

struct frame_decide_push { /* differences -> whether the network runs */
    uint words;            /* of all group counts */
    float threshold;
};

/* Differences are in 8-bit levels: up to LOW the past has its full weight, from HIGH on none. */
#define FRAME_MOTION_LOW  4.0
#define FRAME_MOTION_HIGH 12.0
#define FRAME_MOTION_NONE 1e30 /* of a frame without a past */

struct frame_candidates_push { /* logits -> classes that may win between four logits */
    uint grid_width, grid_height;
    uint stride4, offset4;
    uint classes;
};

#define FRAME_CANDIDATES_WG    128
#define FRAME_CANDIDATES_CELLS 4 /* of an invocation, side by side */

struct frame_labels_push {        /* logits -> label map */
    uint width, height;           /* of the frame */
    uint net_width, net_height;   /* of the whole resized image */
    uint ratio;                   /* pixels of the resized image from logit to logit */
    uint grid_width, grid_height; /* logits of a crop */
    uint stride4, offset4;
    uint classes;
    uint label_stride;
    uint crops;
};

struct frame_blend_push {         /* packed RGB -> packed RGB view */
    uint width, height;           /* of the frame */
    uint view_width, view_height; /* of the view */
    uint src_stride, view_stride; /* pixels */
    uint label_stride;
};

struct frame_ycbcr_push {                                    /* YCbCr planes -> planes of the view */
    uint width, height;                                      /* of the frame */
    uint view_width, view_height;                            /* of the view */
    uint y_offset, y_stride, cb_offset, cr_offset, c_stride; /* of the frame */
    uint view_y_offset, view_y_stride, view_cb_offset, view_cr_offset, view_c_stride;
    uint label_stride;
    uint black; /* Y | Cb << 8 | Cr << 16 */
};

/*
 * The style buffer, in pairs of words: x, y and width, height of the overlay picture in the view, then of each label its
 * colour (three bytes, R G B or Y Cb Cr as the view) and weight (0..65536).
 */
#define FRAME_STYLE_POSITION 0
#define FRAME_STYLE_SIZE     1
#define FRAME_STYLE_LABELS   8 /* [256] */
#define FRAME_STYLE_PAIRS    264

#define FRAME_VIEW_OVERLAY    0
#define FRAME_VIEW_MASK       1
#define FRAME_VIEW_SIDE       2
#define FRAME_VIEW_SOURCE     3
#define FRAME_VIEW_CONFIDENCE 4 /* in a window only */

/* ---- present.comp: what may change from draw to draw, read from a buffer ------------------------------------------ */

#define PRESENT_OVERLAYS 6

struct present_frame {
    uint width, height;                 /* of the window */
    uint x, y, view_width, view_height; /* where the view goes in it; 0 x 0: nowhere */
    uint frame_width, frame_height;
    uint stride, label_stride; /* pixels of the picture, bytes of labels and confidence */
    uint view;                 /* FRAME_VIEW_... */
    uint source_bgr, window_bgr;
    float scale_x, scale_y;                                        /* pixels of the view, at the frame's size, a pixel of the window */
    uint taps_x, taps_y;                                           /* samples a pixel of the window along each axis */
    uint overlay_x[PRESENT_OVERLAYS], overlay_y[PRESENT_OVERLAYS]; /* pixels of the window, the part inside it */
    uint overlay_width[PRESENT_OVERLAYS], overlay_height[PRESENT_OVERLAYS];
    uint overlay_offset[PRESENT_OVERLAYS], overlay_stride[PRESENT_OVERLAYS]; /* words of the texts' buffer */
    uint colour[256];                                                        /* R | G << 8 | B << 16, by label */
    uint weight[256];                                                        /* 0..65536 */
};

/* ---- peak.comp, peak_copy.comp, peak_coop.comp ------------------------------------------------ */

#define PEAK_CHAINS 32 /* sums of an invocation, */
#define PEAK_STEPS  4  /* each so often a round */
#define PEAK_SUMS   8  /* matrices of sums of a subgroup */
#define PEAK_OCTS   4  /* octs of 8 halves that an invocation copies */

struct peak_push {
    uint rounds;
    float factor;
};

#ifdef __STDC__
#undef uint
#endif
#endif
