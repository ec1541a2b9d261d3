/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense convolution as an implicit matrix product (shaders/conv.glsl): M output pixels x N output channels, summed over
 * k = (ky, kx, input channel). One table lists the shader variants; the cheapest for the shape is taken.
 */
#include "op_common.h"

#include "../../shaders/iface.h"

#include <math.h>

/* A shader and its tile: (wg / lx * tm) pixels x (lx * tn) quads of channels a workgroup, bk quads of k at a time. */
struct variant {
    const char *shader;
    uint32_t wg, lx, tm, tn, bk;
    double speed; /* relative throughput of a full machine */
    bool cpu;
};

static const struct variant variants[] = {
    {"conv", 128, 8, 8, 2, 4, 1.00, false}, /* 128 x 64 */
    {"conv", 64, 4, 8, 3, 4, 0.95, false},  /* 128 x 48 */
    {"conv", 128, 8, 4, 2, 4, 0.80, false}, /* 64 x 64 */
    {"conv", 64, 4, 8, 1, 4, 0.60, false},  /* 128 x 16 */
    {"conv", 64, 8, 4, 1, 8, 0.55, false},  /* 32 x 32 */
    {"conv", 64, 8, 2, 1, 8, 0.40, false},  /* 16 x 32 */
    {"conv", 64, 4, 1, 1, 8, 0.25, false},  /* 16 x 16 */
    /* One subgroup, its lanes along the pixels; wg is the subgroup's size. */
    {"conv_cpu", 8, 1, 8, 4, 1, 1.00, true}, /* 64 x 16 */
    {"conv_cpu", 8, 1, 2, 4, 1, 0.55, true}, /* 16 x 16 */
};

/* Workgroups that fill a machine: fewer leave parts of it idle. */
#define FULL_GPU 264
#define FULL_CPU 8

static uint32_t tile_m(const struct variant *v)
{
    return v->wg / v->lx * v->tm;
}

static uint32_t tile_n(const struct variant *v)
{
    return v->lx * v->tn;
}

/* Whether the CPU shader's one-subgroup workgroups can be had. */
static bool fits(const struct variant *v, const struct gpu_caps *caps)
{
    return v->cpu == (caps->cpu && caps->subgroup_shuffle && caps->subgroup_size == 8);
}

static double cost(const struct variant *v, uint32_t m, uint32_t nq)
{
    double groups = (double)div_up(m, tile_m(v)) * div_up(nq, tile_n(v)), full = v->cpu ? FULL_CPU : FULL_GPU;
    return fmax(groups, full) * tile_m(v) * tile_n(v) / v->speed;
}

static const struct variant *choose(const struct gpu_caps *caps, uint32_t m, uint32_t nq)
{
    const struct variant *best = NULL;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        const struct variant *v = &variants[i];
        if (fits(v, caps) && div_up(m, tile_m(v)) <= 65535 && (!best || cost(v, m, nq) < cost(best, m, nq)))
            best = v;
    }
    return best;
}

/* Sizes of the product in the chosen variant's units. */
struct shape {
    uint32_t m, kernel, c; /* c: input channels */
    uint32_t cq, kq, nq;   /* quads: of input channels, of k, of a row of W (whole tiles) */
    size_t weights;        /* quads of W: whole tiles of k */
    size_t blob;           /* bytes with the parameters behind */
};

static struct shape shape_of(const struct node *node, const struct variant *v, const struct net_memory *x, const struct net_memory *y)
{
    struct shape s = {.m = y->h * y->w, .kernel = node->kernel, .c = x->c, .cq = div_up(x->c, 4)};
    s.kq = s.cq * s.kernel * s.kernel;
    s.nq = div_up(y->stride4, tile_n(v)) * tile_n(v);
    s.weights = align_up(s.kq, v->bk) * 4 * s.nq;
    s.blob = s.weights * (y->f16 ? 8 : 16) + (size_t)3 * s.nq * 16;
    return s;
}

static const float *read_weights(struct lower *l, const struct node *node, const struct shape *s)
{
    const uint64_t shape[] = {node->c, s->c, s->kernel, s->kernel}, unshuffled[] = {node->c, (uint64_t)s->c * s->kernel * s->kernel, 1, 1};
    return lower_read(l, node->scope, "weight", node->linear ? 2 : 4, node->unshuffle ? unshuffled : shape);
}

/*
 * (out, in, ky, kx) -> [ky, kx, in padded to quads][out padded to tiles]. The weights (out, in * r * r) of a 1x1 convolution
 * on an unshuffled input lie in memory as (out, in, r, r): the same.
 */
static void pack_weights(void *blob, const float *w, const double *mul, const struct node *node, const struct shape *s, bool f16)
{
    uint32_t taps = s->kernel * s->kernel;
    for (uint32_t o = 0; o < node->c; o++)
        for (uint32_t c = 0; c < s->c; c++)
            for (uint32_t t = 0; t < taps; t++)
                op_store(blob, ((size_t)t * s->cq * 4 + c) * s->nq * 4 + o, w[((size_t)o * s->c + c) * taps + t] * mul[o], f16);
}

/* float32 bias, scale, shift [nq quads] each. */
static void pack_parameters(float *out, const struct epilogue *e, uint32_t n, uint32_t stride)
{
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (float)e->add[i];
        out[stride + i] = e->scale ? e->scale[i] : 1;
        out[2 * stride + i] = e->shift ? e->shift[i] : 0;
    }
}

static struct gpu_range upload(struct lower *l, const struct node *node, const struct shape *s, bool *scaled)
{
    bool f16 = lower_f16(l);
    struct epilogue e;
    char *blob = lower_alloc(l, s->blob);
    const float *w = read_weights(l, node, s);
    if (!blob || !w || !op_fold_epilogue(l, node, node->bias, &e))
        return (struct gpu_range){0};
    pack_weights(blob, w, e.mul, node, s, f16);
    pack_parameters((float *)(blob + s->weights * (f16 ? 8 : 16)), &e, node->c, 4 * s->nq);
    *scaled = e.scale != NULL;
    return lower_upload(l, blob, s->blob);
}

bool op_conv_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = node->residual ? lower_residual(l) : x;
    const struct variant *v = choose(lower_caps(l), y.h * y.w, y.stride4);
    if (!v)
        return false;
    struct shape s = shape_of(node, v, &x, &y);
    bool scaled = false;
    struct gpu_range weights = upload(l, node, &s, &scaled);
    if (!weights.size)
        return false;
    const struct conv_push push = {.m = s.m,
                                   .out_w = y.w,
                                   .in_w = x.w,
                                   .in_h = x.h,
                                   .x_stride = x.stride4,
                                   .x_offset = x.offset4,
                                   .y_stride = y.stride4,
                                   .y_offset = y.offset4,
                                   .r_stride = r.stride4,
                                   .r_offset = r.offset4,
                                   .cq = s.cq,
                                   .kq = s.kq,
                                   .nq = s.nq,
                                   .n_store = y.stride4,
                                   .params = (uint32_t)s.weights,
                                   .pad = node->pad,
                                   .rq = div_up(y.c, 4)};
    double k = (double)s.c * s.kernel * s.kernel;
    struct lower_pass pass = {
        .shader = v->shader,
        .binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
        .n_bindings = 4,
        .spec = {v->wg, v->lx, v->tm, v->tn, v->bk, node->kernel, node->stride, node->pad > 0, node->act, scaled, node->residual != 0},
        .n_spec = 11,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {s.nq / tile_n(v), div_up(s.m, tile_m(v)), 1},
        .flops = 2.0 * s.m * node->c * k,
        .bytes = op_tensor_bytes(&x) + op_tensor_bytes(&y) * (node->residual ? 2 : 1) + k * node->c * (x.f16 ? 2 : 4)};
    return lower_pass(l, &pass);
}
