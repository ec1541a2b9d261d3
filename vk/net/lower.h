/* SPDX-License-Identifier: Apache-2.0 */
/**
 * lower.h: what an op's lowering sees (vk/net/op_*.c): its node, where its tensors lie, and calls that upload
 * parameters and add passes. An op is one row of the table in ops.c: name, scratch size, lowering.
 */
#ifndef NET_LOWER_H
#define NET_LOWER_H

#include "net.h"
#include "tuning.h"

#define NODE_MAX_INPUTS 8
#define RESIZE_MAX_MAPS 4

enum net_op {
    OP_NONE,
    OP_INPUT,
    OP_CONV,
    OP_DWCONV,
    OP_BATCH_NORM,
    OP_LAYER_NORM,
    OP_ACT,
    OP_ADD,
    OP_SCALE,
    OP_SLICE,
    OP_CONCAT,
    OP_RESIZE,
    OP_UNSHUFFLE,
    OP_POOL,
    OP_ROPE,
    OP_NATTEN,
    OP_ATTENTION,
    OP_SCAN,
    OP_DWNORM, /* fused: depthwise convolution plus its input, and the layer norm of that: two outputs */
    OP_ALSO,   /* the second output of another node */
    OP_COUNT
};

struct node {
    enum net_op op;
    char *scope;                 /* full name of the op's weights: "backbone.layers.0.blocks.0.cpe1" */
    int32_t in[NODE_MAX_INPUTS]; /* ids of tensors */
    uint32_t n_in;
    uint32_t c, h, w;             /* output */
    uint32_t kernel, stride, pad; /* conv, dwconv; unshuffle: stride */
    bool bias, linear;            /* conv */
    bool rope;                    /* conv: rotary positions on its result, a qkv tensor of `heads` heads; after the bias */
    uint32_t heads, window, side; /* attention */
    uint32_t first;               /* slice: first channel */
    enum net_act act;             /* act; fused: the epilogue's; resize: after the sum of its inputs, each resized */
    /* Epilogue after fusing, in this order: batch norm, act, layer scale, residual. NULL or 0: none. */
    char *norm;         /* scope of a batch norm folded into the weights */
    char *scale;        /* scope of a layer scale */
    int32_t residual;   /* tensor added last */
    char *layer_norm;   /* dwnorm, scan: scope of the layer norm, before a residual */
    char *front;        /* scan: scope of the depthwise convolution that makes its input; kernel, norm, act are its */
    char *proj;         /* scan: scope of the 1x1 convolution behind the layer norm; bias, scale, residual are its, in[1] the norm's */
    int32_t also;       /* the node whose tensor is this node's second output */
    int32_t maker;      /* OP_ALSO: the node that writes this tensor */
    uint32_t unshuffle; /* conv: its 1x1 weights are (out, in, r, r): kernel r, stride r on the unshuffled input */
    float *made;        /* conv, 1x1: its weights (out, in) and then biases (out), not stored ones; owned */
    bool early;         /* conv: the residual is added before the activation */
    uint32_t step;      /* order.c: the step of its first pass, each other one a step later */
};

struct lower;

/** What a program is made for: the same for fusing, planning and lowering, which have to agree. */
struct net_target {
    const struct gpu_caps *caps;
    bool f16;
    bool matrices; /**< passes on cooperative matrices are to be used: in float16, on a GPU that has them */
};

/** The i-th input, the residual, the output of the node in GPU memory. */
struct net_memory lower_input(const struct lower *l, uint32_t i);
struct net_memory lower_residual(const struct lower *l);
struct net_memory lower_output(const struct lower *l);
struct net_memory lower_also(const struct lower *l);
/** Scratch in the arena that lives for this node's passes: scratch() bytes of the op's table row. */
struct gpu_range lower_scratch(const struct lower *l, uint64_t offset, uint64_t size);
const struct net_target *lower_target(const struct lower *l);
const struct gpu_caps *lower_caps(const struct lower *l);
bool lower_f16(const struct lower *l);
/** net_program_params.conv_variant. */
uint32_t lower_conv_variant(const struct lower *l);
/** 1 + the row of op_conv_table.c that was measured to be the fastest; 0: not known. */
uint32_t lower_tuned_row(const struct lower *l, const struct net_job *job);

/**
 * Reads "scope.suffix" (suffix NULL: scope itself) as float32 into malloc'ed memory, owned by l until the node is lowered.
 * Returns NULL after an error (then the lowering returns false).
 */
float *lower_read(struct lower *l, const char *scope, const char *suffix, uint32_t rank, const uint64_t *shape);
/** Zeroed host memory, owned by l until the node is lowered; NULL after an error. */
void *lower_alloc(struct lower *l, size_t bytes);

/** Copies a blob into the weights' buffer; the range is valid for binding at once. size > 0. */
struct gpu_range lower_upload(struct lower *l, const void *data, size_t bytes);

struct lower_pass {
    const char *shader; /* base name: ".f16" or ".f32" is added by lower_f16() */
    struct {
        struct gpu_range range;
        enum gpu_access access;
    } binding[GPU_MAX_BINDINGS];
    uint32_t n_bindings;
    uint32_t spec[GPU_MAX_SPEC], n_spec;
    uint32_t subgroup_size; /* whole subgroups of this size; 0: any */
    const void *push;
    uint32_t push_size;
    uint32_t groups[3];
    double flops, bytes;
};
/** Adds a pass in order; false after an error. */
bool lower_pass(struct lower *l, const struct lower_pass *pass);

struct net_op_impl {
    const char *name;
    bool writes_views; /* its output may be a range of channels of a larger tensor (a part of a concat) */
    /** Bytes of scratch for the node (each piece aligned to 256 by the caller's own arithmetic); NULL: none. */
    uint64_t (*scratch)(const struct node *node, const struct net_memory *in, const struct net_target *target);
    /** Adds the node's passes; false after an error (lower_* have recorded it). NULL: no passes (a view). */
    bool (*lower)(struct lower *l, const struct node *node);
    /** Steps that its passes take (order.c), one each; those beyond share the last. 0: what it has to do is done where its inputs are. */
    uint32_t steps;
    uint32_t late; /* so many steps later it reads its inputs but the first, and its residual: they may be made beside its first passes */
};
extern const struct net_op_impl net_ops[OP_COUNT];

bool op_conv_lower(struct lower *l, const struct node *node);
uint32_t op_conv_variants(void); /* rows of its table */
#define OP_CONV_ROW_NAME 64
/** A row (1 + its number) by a name made of its shader and sizes, and back (0: there is none of this name). */
void op_conv_row_name(uint32_t row, char name[OP_CONV_ROW_NAME]);
uint32_t op_conv_row(const char *name);
bool op_conv_has_variant(const struct gpu_caps *caps, uint32_t variant);
bool op_dwconv_lower(struct lower *l, const struct node *node);
bool op_dwnorm_lower(struct lower *l, const struct node *node);
bool op_pointwise_lower(struct lower *l, const struct node *node); /* batch norm, act, add, scale: what is not fused */
bool op_layer_norm_lower(struct lower *l, const struct node *node);
bool op_copy_lower(struct lower *l, const struct node *node); /* concat */
bool op_resize_lower(struct lower *l, const struct node *node);
bool op_unshuffle_lower(struct lower *l, const struct node *node);
bool op_pool_lower(struct lower *l, const struct node *node);
uint64_t op_pool_scratch(const struct node *node, const struct net_memory *in, const struct net_target *target);
bool op_rope_lower(struct lower *l, const struct node *node);
bool op_natten_lower(struct lower *l, const struct node *node);
bool op_natten_coop_fits(struct lower *l, const struct node *node); /* whether cooperative matrices can do it */
bool op_natten_coop_lower(struct lower *l, const struct node *node);
bool op_attention_lower(struct lower *l, const struct node *node);
bool op_scan_lower(struct lower *l, const struct node *node);
bool op_scan_proj_fits(const struct net_target *target, const struct node *node); /* whether it may be given a proj */
uint64_t op_scan_scratch(const struct node *node, const struct net_memory *in, const struct net_target *target);

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint32_t div_up(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

static inline uint64_t align_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b * b;
}

/** Quads of every pixel that an op writes to its output: its channels, and the zeros after them. */
static inline uint32_t lower_quads(const struct net_memory *y)
{
    return div_up(y->c, 4) + y->pad4;
}

#endif
