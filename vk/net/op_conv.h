/* SPDX-License-Identifier: Apache-2.0 */
/** op_conv.h: the table of a dense convolution's shaders and the choice from it (op_conv_table.c), for what lowers it (op_conv.c). */
#ifndef NET_OP_CONV_H
#define NET_OP_CONV_H

#include "op_common.h"

/* What a shader wants. */
enum conv_kind {
    CONV_PORTABLE, /* a GPU */
    CONV_CPU,      /* a CPU driver whose subgroups are as wide as its vectors */
    CONV_MATRIX,   /* cooperative matrices, float16 */
    CONV_LANES,    /* the same, dealt out in a known order */
};

/*
 * A shader and its tile. PORTABLE, CPU: wg invocations, lx of them along the channels; (wg / lx * tm) pixels x (lx * tn) quads of
 * channels a workgroup, bk quads of k at a time. MATRIX, LANES: subgroups along the pixels, the channels and k, and the matrices of
 * each; LANES: of k instead how many steps are read ahead, 0 or 1.
 */
struct conv_variant {
    const char *shader;
    enum conv_kind kind;
    double speed; /* relative throughput of a full machine, within the kind */
    uint32_t wg, lx, tm, tn, bk;
    uint32_t groups[3], frags[3];
};

/* A variant on a device: tile in pixels, quads of channels and quads of k; octs (16 bytes) of shared memory. */
struct conv_tile {
    uint32_t wg, m, nq, kq, shared;
};

/* The product to compute, and where its input lies. */
struct conv_job {
    const struct gpu_caps *caps;
    const struct net_memory *x, *y, *r; /* r: NULL without a residual */
    uint32_t m, nq, kq;
    bool f16;
    bool linear; /* 1x1, stride 1 */
};

/** Whether it multiplies cooperative matrices. */
bool op_conv_on_matrices(const struct conv_variant *v);
/** Channels of a pixel that an invocation of conv_lanes finishes together: 8 or 4. */
uint32_t op_conv_piece(const struct conv_variant *v, const struct gpu_caps *caps);
/**
 * Where conv_lanes reads the weight of output o and row k, of `rows` in all, as a number of halves; piece: as above. The layout is
 * [out / 16][k / 16][oct][invocation][8].
 */
size_t op_conv_dealt(const struct gpu_caps *caps, uint32_t piece, uint32_t rows, uint32_t o, uint32_t k);
struct conv_tile op_conv_tile(const struct conv_variant *v, const struct gpu_caps *caps);
/** The row that a test forces, else the one that was measured, else the cheapest by estimate; NULL: the device has none that fits. */
const struct conv_variant *op_conv_pick(struct lower *l, const struct node *node, const struct conv_job *j);

#endif
