/* SPDX-License-Identifier: Apache-2.0 */
/**
 * net.h: builds a network as a graph of ops, then turns it into recorded Vulkan passes:
 * graph -> fuse -> plan -> lower. Builder calls compute nothing. They are sticky on errors: after the first
 * failure every call returns the null tensor and does nothing; net_finish reports it.
 *
 * Shapes are (C, H, W), batch 1. In GPU memory a tensor is pixel-major (H, W, C) with C padded to a
 * multiple of 8 channels; padding channels hold zeros. Elements are float32 or float16.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "../gpu/gpu.h"

/** A value of the graph; id 0 is the null tensor. */
typedef struct {
    int32_t id;
} tensor;

struct net;

/** Where weights come from. */
struct net_weights {
    void *user;
    /** Checks that the tensor exists with this shape. */
    bool (*expect)(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error);
    /** Reads it as float32. */
    bool (*read)(void *user, const char *name, uint32_t rank, const uint64_t *shape, float *out, struct segman_error *error);
};

struct net *net_create(const struct net_weights *weights);
void net_destroy(struct net *net);

/* ---- scopes: names of weights, taps, profiles ------------------------------------------------- */

/** Enters "outer.name" (printf-like). */
void net_push(struct net *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Leaves the scope; its name becomes one more name of t (the output of the module). Returns t. */
tensor net_pop(struct net *n, tensor t);
/** Gives t one more name, below the current scope. */
tensor net_name(struct net *n, tensor t, const char *name);

/* ---- ops (in the comment: output shape; names are below the current scope) --------------------- */

enum net_act { NET_ACT_NONE, NET_ACT_RELU, NET_ACT_GELU, NET_ACT_SILU };

struct net_conv {
    uint32_t out;            /**< output channels */
    uint32_t kernel, stride; /**< 0: 1 */
    uint32_t pad;
    bool bias;
    bool linear; /**< the weight is stored (out, in), not (out, in, k, k) */
};

tensor net_input(struct net *n, uint32_t c, uint32_t h, uint32_t w);                     /* c,h,w */
tensor net_conv(struct net *n, const char *name, tensor x, const struct net_conv *conv); /* out,(h+2p-k)/s+1,.. */
tensor net_dwconv(struct net *n, const char *name, tensor x, uint32_t kernel);           /* same: depthwise, bias, pad k/2 */
tensor net_batch_norm(struct net *n, const char *name, tensor x);                        /* same: running statistics, eps 1e-5 */
tensor net_layer_norm(struct net *n, const char *name, tensor x);                        /* same: over channels, eps 1e-6 */
tensor net_act(struct net *n, tensor x, enum net_act act);                               /* same */
tensor net_add(struct net *n, tensor a, tensor b);                                       /* same */
tensor net_scale(struct net *n, const char *name, tensor x);               /* same: layer scale, weight and bias per channel */
tensor net_slice(struct net *n, tensor x, uint32_t first, uint32_t count); /* count,h,w (a view) */
tensor net_concat(struct net *n, const tensor *x, uint32_t count);         /* sum c,h,w */
tensor net_resize(struct net *n, tensor x, uint32_t h, uint32_t w);        /* c,h,w: bilinear, half-pixel centres; 1x1 spreads */
tensor net_unshuffle(struct net *n, tensor x, uint32_t r);                 /* c*r*r,h/r,w/r: torch pixel_unshuffle */
tensor net_pool(struct net *n, tensor x);                                  /* c,1,1: mean */
/** Rotary positions on q and k of a (3c) qkv tensor, q scaled by (c/heads)^-0.5 after rotation. */
tensor net_rope(struct net *n, tensor qkv, uint32_t heads); /* 3c,h,w */
/** Neighborhood attention with relative bias `name` (heads, 2 window - 1, 2 window - 1). */
tensor net_natten(struct net *n, const char *name, tensor qkv, uint32_t heads, uint32_t window); /* c,h,w */
/** Global attention softmax(q k^T + bias) v with q, k of the rotated qkv; bias `name` (heads, side^2, side^2) resized bicubically. */
tensor net_attention(struct net *n, const char *name, tensor qkv, tensor v, uint32_t heads, uint32_t side); /* c,h,w */
/** Four-direction selective scan with weights below scope `name` (reference: VSSM). */
tensor net_scan(struct net *n, const char *name, tensor x); /* c,h,w */

void net_shape(const struct net *n, tensor t, uint32_t *c, uint32_t *h, uint32_t *w);
bool net_failed(const struct net *n, struct segman_error *error);
/** Marks the network's result. */
void net_output(struct net *n, tensor t);

/* ---- from graph to passes ---------------------------------------------------------------------- */

struct net_tuning; /* tuning.h */

struct net_program_params {
    bool f16; /**< storage of activations and matrices */
    bool no_fuse;
    const char *const *taps; /**< names to keep; [n_taps] */
    size_t n_taps;
    uint32_t conv_variant;     /**< tests: 1 + the row of op_conv_table.c to use wherever it fits; 0: the best */
    struct net_tuning *tuning; /**< measured choices; NULL: none */
};

/** The lowered network: arena, weights, passes. The input and output tensors lie in its arena. */
struct net_program;
struct net_program *net_program_create(struct gpu *gpu, struct net *n, const struct net_program_params *params, struct segman_error *error);
/** Notes the pipelines that net_program_create() would compile: gpu_pipelines_prepare() does, with those of other networks. */
bool net_program_note(struct gpu *gpu, struct net *n, const struct net_program_params *params, struct segman_error *error);
/** The same network with an arena of its own, to run at once with the program, which must outlive it: weights, names and plan are that
 * one's: ask it. */
struct net_program *net_program_copy(const struct net_program *program, struct segman_error *error);
void net_program_destroy(struct net_program *program);

/** A tensor in GPU memory. */
struct net_memory {
    struct gpu_range range;
    uint32_t c, h, w;
    uint32_t stride4; /**< quads (4 channels) from pixel to pixel */
    uint32_t offset4; /**< quads before the first channel */
    uint32_t pad4;    /**< quads after the last channel that its op fills with zeros */
    bool f16;
};
struct net_memory net_program_input(const struct net_program *program);
struct net_memory net_program_output(const struct net_program *program);
/** By any of its names; false where it was not kept. */
bool net_program_tap(const struct net_program *program, const char *name, struct net_memory *memory);

/** Reads a tensor as planar float32 (c, h, w), malloc'ed; blocking. */
float *net_memory_read(struct gpu *gpu, const struct net_memory *memory, struct segman_error *error);

struct net_pass {
    struct gpu_pass *pass;
    const char *scope, *op, *shader;
    double flops, bytes;
    uint32_t groups[3];
    bool matrices; /**< on cooperative matrices */
};
size_t net_program_passes(const struct net_program *program, const struct net_pass **passes);
void net_program_memory(const struct net_program *program, struct segman_memory_info *info);
void net_program_print_plan(const struct net_program *program, FILE *out);

#endif
