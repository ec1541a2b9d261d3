/* SPDX-License-Identifier: Apache-2.0 */
/** op_scan.h: the ways of the selective scan (op_scan.c chooses one), and what several of them need. */
#ifndef NET_OP_SCAN_H
#define NET_OP_SCAN_H

#include "op_common.h"

#define LN_2   0.69314718f
#define LOG2_E 1.44269504f /* exponents are to the base of 2: scan_math.glsl */

#define SCAN_RUN 16 /* scan_join.glsl */

/** Sizes fixed by the shape. */
struct scan {
    uint32_t c, h, w, rank;
    uint32_t quads;         /**< of channels */
    uint32_t ranks4;        /**< quads of z a direction: B, C, dt's ranks */
    uint32_t rows, columns; /**< chunks of a sequence along the rows, along the columns; each way cuts its own */
};
/** Without chunks. */
struct scan op_scan_sizes(const struct node *node);

/** Bytes of a tensor of the scan's channels without others around them. */
static inline uint64_t op_scan_tensor_size(const struct scan *s, bool f16)
{
    return (uint64_t)s->h * s->w * s->quads * (f16 ? 8 : 16);
}

/** Of the recurrence, dt included. */
static inline double op_scan_flops(const struct scan *s)
{
    return 4.0 * s->h * s->w * s->c * (2.0 * s->rank + 24);
}

/** Place in z of row i of x_proj_weight (dt's ranks, B, C): B and C first, so that one quad holds both. */
static inline uint32_t op_scan_place_in_z(const struct scan *s, uint32_t i)
{
    return i < s->rank ? 2 + i : i - s->rank;
}

/** dt_projs_weight (4, c, rank) as (4, ranks4, 4 quads) quads of float32 that match z's: zeros for B and C and past the rank. */
struct gpu_range op_scan_steps(struct lower *l, const struct node *node, const struct scan *s);
/** x_proj_weight (4, rank + 2, c) as (4 quads, 4, ranks4) quads of the storage type. */
struct gpu_range op_scan_projection(struct lower *l, const struct node *node, const struct scan *s);
/** Vectors in float32, of 4 ceil(c / 4) channels each: dt's bias (4), A (4), the sum of D over the directions. */
struct gpu_range op_scan_vectors(struct lower *l, const struct node *node);

/** Bytes of the chunks' products and states, (chunks of the four sequences, quads, 2) quads of float32, and of what op_scan_carry adds. */
uint64_t op_scan_states_size(const struct scan *s);
/** Replaces each chunk's last state by the one that the chunk starts with. */
bool op_scan_carry(struct lower *l, const struct scan *s, struct gpu_range states);

/*
 * The ways. y is the result, without a layer norm or a residual; scratch is for all passes of a way. op_scan_chunks and
 * op_scan_tiles write the node's output instead, layer norm and residual included.
 */
uint64_t op_scan_plain_scratch(const struct node *node, bool f16);
bool op_scan_plain_lower(struct lower *l, const struct node *node, const struct net_memory *y);

bool op_scan_planes_fits(const struct net_target *target, const struct node *node, const struct net_memory *x);
uint64_t op_scan_planes_scratch(const struct gpu_caps *caps, const struct node *node);
bool op_scan_planes_lower(struct lower *l, const struct node *node, const struct net_memory *y);

bool op_scan_chunks_fits(const struct net_target *target, const struct node *node, const struct net_memory *x);
uint64_t op_scan_chunks_scratch(const struct net_target *target, const struct node *node, const struct net_memory *x);
bool op_scan_chunks_lower(struct lower *l, const struct node *node);

bool op_scan_tiles_fits(const struct net_target *target, const struct node *node);
uint64_t op_scan_tiles_scratch(const struct node *node, bool f16);
bool op_scan_tiles_lower(struct lower *l, const struct node *node);

/** What a scan leaves for op_scan_proj_lower: y in rows of stride4 quads, or, in chunks, what y is summed up from. */
struct scan_result {
    struct gpu_range range, states;
    uint32_t stride4;
    uint32_t chunk, chunks; /**< places of a chunk, chunks of a sequence; 0: y */
};
bool op_scan_proj_lower(struct lower *l, const struct node *node, const struct scan_result *from);

#endif
