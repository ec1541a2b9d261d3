/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense convolution as an implicit matrix product (shaders/conv.glsl): M output pixels x N output channels, summed over
 * k = (ky, kx, input channel). One table lists the shader variants; the cheapest for the shape is taken.
 */
#include "op_common.h"

#include "../../shaders/iface.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a shader wants. */
enum kind {
    PORTABLE, /* a GPU */
    CPU,      /* a CPU driver whose subgroups are as wide as its vectors */
    MATRIX,   /* cooperative matrices, float16 */
    LANES,    /* the same, dealt out in a known order */
};

/*
 * A shader and its tile. PORTABLE, CPU: wg invocations, lx of them along the channels; (wg / lx * tm) pixels x (lx * tn) quads of
 * channels a workgroup, bk quads of k at a time. MATRIX, LANES: subgroups along the pixels, the channels and k, and the matrices of
 * each.
 */
struct variant {
    const char *shader;
    enum kind kind;
    double speed; /* relative throughput of a full machine, within the kind */
    uint32_t wg, lx, tm, tn, bk;
    uint32_t groups[3], frags[3];
};

static const struct variant variants[] = {
    {"conv", PORTABLE, 1.00, 128, 8, 8, 2, 4}, /* 128 x 64 */
    {"conv", PORTABLE, 0.95, 64, 4, 8, 3, 4},  /* 128 x 48 */
    {"conv", PORTABLE, 0.80, 128, 8, 4, 2, 4}, /* 64 x 64 */
    {"conv", PORTABLE, 0.60, 64, 4, 8, 1, 4},  /* 128 x 16 */
    {"conv", PORTABLE, 0.55, 64, 8, 4, 1, 8},  /* 32 x 32 */
    {"conv", PORTABLE, 0.40, 64, 8, 2, 1, 8},  /* 16 x 32 */
    {"conv", PORTABLE, 0.25, 64, 4, 1, 1, 8},  /* 16 x 16 */
    /* One subgroup, its lanes along the pixels; wg is the subgroup's size. */
    {"conv_cpu", CPU, 1.00, 8, 1, 8, 4, 1}, /* 64 x 16 */
    {"conv_cpu", CPU, 0.55, 8, 1, 2, 4, 1}, /* 16 x 16 */
    /* Sizes for matrices of 16 x 16 x 16. */
    {"conv_coop", MATRIX, .groups = {4, 2, 1}, .frags = {2, 2, 2}}, /* 128 x 64, k 32 */
    {"conv_coop", MATRIX, .groups = {2, 2, 1}, .frags = {2, 3, 2}}, /* 64 x 96, k 32 */
    {"conv_coop", MATRIX, .groups = {2, 2, 1}, .frags = {2, 3, 4}}, /* 64 x 96, k 64 */
    {"conv_coop", MATRIX, .groups = {2, 2, 1}, .frags = {2, 2, 2}}, /* 64 x 64, k 32 */
    {"conv_coop", MATRIX, .groups = {2, 2, 1}, .frags = {2, 2, 4}}, /* 64 x 64, k 64 */
    {"conv_coop", MATRIX, .groups = {2, 2, 2}, .frags = {2, 2, 4}}, /* 64 x 64, k 128 */
    {"conv_coop", MATRIX, .groups = {4, 1, 1}, .frags = {1, 2, 4}}, /* 64 x 32, k 64 */
    {"conv_coop", MATRIX, .groups = {2, 1, 4}, .frags = {2, 2, 2}}, /* 64 x 32, k 128 */
    {"conv_coop", MATRIX, .groups = {4, 1, 1}, .frags = {2, 1, 4}}, /* 128 x 16, k 64 */
    {"conv_coop", MATRIX, .groups = {1, 1, 4}, .frags = {2, 2, 2}}, /* 32 x 32, k 128 */
    {"conv_coop", MATRIX, .groups = {1, 1, 4}, .frags = {1, 2, 2}}, /* 16 x 32, k 128 */
    {"conv_coop", MATRIX, .groups = {1, 1, 8}, .frags = {1, 1, 2}}, /* 16 x 16, k 256 */
    {"conv_lanes", LANES, .groups = {2, 2, 1}, .frags = {2, 3}},    /* 64 x 96 */
    {"conv_lanes", LANES, .groups = {2, 2, 1}, .frags = {2, 2}},    /* 64 x 64 */
    {"conv_lanes", LANES, .groups = {2, 2, 2}, .frags = {2, 2}},    /* 64 x 64, k in 2 */
    {"conv_lanes", LANES, .groups = {4, 1, 1}, .frags = {1, 2}},    /* 64 x 32 */
    {"conv_lanes", LANES, .groups = {4, 1, 2}, .frags = {1, 2}},    /* 64 x 32, k in 2 */
    {"conv_lanes", LANES, .groups = {2, 1, 4}, .frags = {1, 2}},    /* 32 x 32, k in 4 */
    {"conv_lanes", LANES, .groups = {1, 1, 4}, .frags = {1, 2}},    /* 16 x 32, k in 4 */
    {"conv_lanes", LANES, .groups = {1, 1, 8}, .frags = {1, 2}},    /* 16 x 32, k in 8 */
    {"conv_lanes", LANES, .groups = {4, 1, 1}, .frags = {2, 1}},    /* 128 x 16 */
    {"conv_lanes", LANES, .groups = {2, 1, 4}, .frags = {1, 1}},    /* 32 x 16, k in 4 */
};
#define N_VARIANTS (sizeof(variants) / sizeof(variants[0]))
_Static_assert(N_VARIANTS <= 32, "struct net_job has a bit a row");

/* A variant on a device: tile in pixels, quads of channels and quads of k; octs (16 bytes) of shared memory. */
struct tile {
    uint32_t wg, m, nq, kq, shared;
};

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static bool on_matrices(const struct variant *v)
{
    return v->kind == MATRIX || v->kind == LANES;
}

/* Matrices side by side in which an invocation has a quad of each row. */
static uint32_t lanes_wide(const struct gpu_caps *caps)
{
    return caps->coop.deal.row_lanes / 4;
}

static struct tile lanes_tile(const struct variant *v, const struct gpu_caps *caps)
{
    uint32_t subgroups = v->groups[0] * v->groups[1] * v->groups[2], sums = v->frags[0] * v->frags[1] * 16 * 4;
    return (struct tile){.wg = subgroups * caps->subgroup_size,
                         .m = 16 * v->groups[0] * v->frags[0],
                         .nq = 4 * v->groups[1] * v->frags[1],
                         .kq = 2 * caps->coop.deal.row_lanes,
                         .shared = subgroups * sums};
}

static struct tile tile_of(const struct variant *v, const struct gpu_caps *caps)
{
    if (v->kind == LANES)
        return lanes_tile(v, caps);
    if (v->kind != MATRIX)
        return (struct tile){.wg = v->wg, .m = v->wg / v->lx * v->tm, .nq = v->lx * v->tn, .kq = v->bk};
    uint32_t subgroups = v->groups[0] * v->groups[1] * v->groups[2], n = v->frags[1] * caps->coop.n,
             m = v->groups[0] * v->frags[0] * caps->coop.m, k = v->groups[2] * v->frags[2] * caps->coop.k;
    uint32_t staged = m * (k / 8 + 1) + k * (v->groups[1] * n / 8 + 1), sums = subgroups * caps->coop.m * (n / 4 + 1);
    return (struct tile){
        .wg = subgroups * caps->subgroup_size, .m = m, .nq = v->groups[1] * n / 4, .kq = k / 4, .shared = max_u32(staged, sums)};
}

/* The product to compute, and where its input lies. */
struct job {
    const struct gpu_caps *caps;
    const struct net_memory *x;
    uint32_t m, nq, kq;
    bool f16;
    bool linear; /* 1x1, stride 1 */
};

static bool device_has(const struct variant *v, const struct gpu_caps *caps)
{
    /* Whether the CPU shader's one-subgroup workgroups can be had. */
    bool cpu = caps->cpu && caps->subgroup_shuffle && caps->subgroup_size == 8;
    if (!on_matrices(v))
        return (v->kind == CPU) == cpu;
    if (!caps->coop.m || !gpu_shader_find("conv_coop.f16"))
        return false;
    if (v->kind == LANES && (!caps->coop.deal.row_lanes || v->frags[1] % lanes_wide(caps)))
        return false;
    struct tile t = tile_of(v, caps);
    return t.wg <= caps->max_invocations && (v->kind == LANES || t.wg % (t.kq / 2) == 0) && t.shared * 16 <= caps->shared_memory;
}

static bool fits(const struct variant *v, const struct job *j)
{
    /* Octs of x: aligned, and with nothing but zeros behind the last channel. */
    bool octs = j->x->offset4 % 2 == 0 && j->x->stride4 % 2 == 0 && (j->x->c % 8 == 0 || lower_quads(j->x) % 2 == 0);
    return device_has(v, j->caps) && (!on_matrices(v) || (j->f16 && octs)) && div_up(j->m, tile_of(v, j->caps).m) <= 65535;
}

uint32_t op_conv_variants(void)
{
    return N_VARIANTS;
}

bool op_conv_has_variant(const struct gpu_caps *caps, uint32_t variant)
{
    return variant >= 1 && variant <= N_VARIANTS && device_has(&variants[variant - 1], caps);
}

/* Workgroups that fill a machine: fewer leave parts of it idle. */
#define FULL_GPU 264
#define FULL_CPU 8

static double cost_simt(const struct variant *v, const struct job *j)
{
    struct tile t = tile_of(v, j->caps);
    double groups = (double)div_up(j->m, t.m) * div_up(j->nq, t.nq), full = v->kind == CPU ? FULL_CPU : FULL_GPU;
    return fmax(groups, full) * t.m * t.nq / v->speed;
}

/*
 * Nanoseconds on a Hopper GPU, fitted to what every row took for the network's shapes (docs/performance.md). A workgroup waits
 * for each tile of k; those that a multiprocessor runs one after the other share its bandwidth and its matrix units.
 */
static double cost_matrix(const struct variant *v, const struct job *j)
{
    static const double processors = 132, shared = 230000, registers = 65536; /* of one: bytes, words */
    static const double start = 1100, split = 380, tile = 300, row = 1.4;     /* waiting: once, where k is split, a tile, a row of k */
    static const double group = 140, bytes = 38, flops = 4600, stored = 16;   /* work: a group, then units a nanosecond */
    struct tile t = tile_of(v, j->caps);
    double n = 4.0 * t.nq, k = 4.0 * t.kq, steps = div_up(j->kq, t.kq);
    double held = 30 + 8.0 * v->frags[0] * v->frags[1] + 4.0 * (t.m + n) * k / 8 / t.wg + 4.0 * (v->frags[0] + 1);
    double resident = fmax(1, fmin(floor(shared / (16 * t.shared)), floor(registers / (held * t.wg))));
    double each = ceil(div_up(j->m, t.m) * div_up(j->nq, t.nq) / processors);
    double wait = ceil(each / resident) * (start + (v->groups[2] > 1 ? split : 0) + steps * (tile + row * k));
    double work = each * (group + (t.m + n) * k * 2 * steps / bytes + 2 * t.m * n * k * steps / flops + 2 * t.m * n / stored);
    return hypot(wait, work);
}

/*
 * The same for matrices dealt out by hand, fitted to the mean of what a pass takes with its code in the cache and without, and to
 * passes of the network. Subgroups load what they multiply by themselves; sums of split k go through shared memory.
 */
static double cost_lanes(const struct variant *v, const struct job *j)
{
    static const double processors = 132, registers = 65536;
    static const double start = 4130, code = 431, kernel = 1840, step = 187; /* waiting: once, a matrix, taps, a step */
    static const double group = 35, bytes = 197, flops = 912,
                        stored = 15.5; /* work, a quarter above the fit: where both are close, conv_coop wins */
    struct tile t = tile_of(v, j->caps);
    double n = 4.0 * t.nq, k = 4.0 * t.kq, steps = div_up(j->kq, t.kq), f0 = v->frags[0], f1 = v->frags[1], split = v->groups[2];
    double resident = fmin(32, fmax(1, floor(registers / ((40 + 8 * f0 * f1 + 8 * (f0 + f1)) * t.wg))));
    double each = ceil(div_up(j->m, t.m) * div_up(j->nq, t.nq) / processors);
    double wait = start + code * f0 * f1 + (j->linear ? 0 : kernel) + ceil(each / resident) * ceil(steps / split) * step;
    double work = each * (group + v->groups[0] * v->groups[1] * steps * (f0 + f1) * k * 32 / bytes + 2 * t.m * n * k * steps / flops +
                          split * 2 * t.m * n / stored);
    return hypot(wait, work);
}

static double cost_on_matrices(const struct variant *v, const struct job *j)
{
    static const double code = 3500; /* not in cost_matrix: conv_coop waits for its */
    return v->kind == LANES ? cost_lanes(v, j) : code + cost_matrix(v, j);
}

/* Matrices where there are any, unless the device computes them on a CPU. */
static const struct variant *choose(const struct job *j)
{
    const struct variant *best = NULL, *matrix = NULL;
    for (size_t i = 0; i < N_VARIANTS; i++) {
        const struct variant *v = &variants[i];
        if (!fits(v, j))
            continue;
        if (on_matrices(v) && (!matrix || cost_on_matrices(v, j) < cost_on_matrices(matrix, j)))
            matrix = v;
        if (!on_matrices(v) && (!best || cost_simt(v, j) < cost_simt(best, j)))
            best = v;
    }
    return matrix && !j->caps->cpu ? matrix : best;
}

void op_conv_row_name(uint32_t row, char name[OP_CONV_ROW_NAME])
{
    const struct variant *v = &variants[row - 1];
    if (on_matrices(v))
        snprintf(name, OP_CONV_ROW_NAME, "%s %ux%ux%u %ux%ux%u", v->shader, v->groups[0], v->groups[1], v->groups[2], v->frags[0],
                 v->frags[1], v->frags[2]);
    else
        snprintf(name, OP_CONV_ROW_NAME, "%s %u %u %ux%ux%u", v->shader, v->wg, v->lx, v->tm, v->tn, v->bk);
}

uint32_t op_conv_row(const char *name)
{
    char own[OP_CONV_ROW_NAME];
    for (uint32_t row = 1; row <= N_VARIANTS; row++) {
        op_conv_row_name(row, own);
        if (!strcmp(own, name))
            return row;
    }
    return 0;
}

/* Rows worth measuring for a job, as bits: matrices are not where a CPU computes them. */
static uint32_t rows_for(const struct job *j)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < N_VARIANTS; i++)
        if (fits(&variants[i], j) && !(on_matrices(&variants[i]) && j->caps->cpu))
            rows |= 1u << i;
    return rows;
}

/* What a test forces, else what was measured, else the estimate. */
static const struct variant *pick(struct lower *l, const struct node *node, const struct job *j)
{
    uint32_t forced = lower_conv_variant(l);
    if (forced && forced <= N_VARIANTS && fits(&variants[forced - 1], j))
        return &variants[forced - 1];
    uint32_t tuned = lower_tuned_row(l, &(struct net_job){.c = j->x->c,
                                                          .h = j->x->h,
                                                          .w = j->x->w,
                                                          .out = node->c,
                                                          .kernel = node->kernel,
                                                          .stride = node->stride,
                                                          .pad = node->pad,
                                                          .f16 = j->f16,
                                                          .rows = rows_for(j)});
    return tuned ? &variants[tuned - 1] : choose(j);
}

/* Sizes of the product in the chosen variant's units. */
struct shape {
    uint32_t m, kernel, c; /* c: input channels */
    uint32_t cq, kq, nq;   /* quads: of input channels, of k, of a row of W (whole tiles) */
    uint32_t rows, run;    /* of W: k in whole tiles; channels that lie together, the tile's or all */
    const struct gpu_deal *deal;
    uint32_t lanes; /* with a deal: of a subgroup */
    size_t weights; /* quads of W */
    size_t turns;   /* bytes of the rotary table */
    size_t blob;    /* bytes with the parameters and the table behind */
};

static struct shape shape_of(const struct node *node, const struct variant *v, const struct tile *t, const struct job *j)
{
    struct shape s = {.m = j->m, .kernel = node->kernel, .c = j->x->c, .cq = div_up(j->x->c, 4)};
    if (on_matrices(v))
        s.cq = (uint32_t)align_up(s.cq, 2);
    s.kq = s.cq * s.kernel * s.kernel;
    uint32_t whole = v->kind == LANES ? 4 * lanes_wide(j->caps) : t->nq;
    s.nq = div_up(j->nq, whole) * whole;
    s.rows = (uint32_t)align_up(s.kq, t->kq) * 4;
    s.run = 4 * (v->kind == MATRIX ? t->nq : s.nq);
    s.deal = v->kind == LANES ? &j->caps->coop.deal : NULL;
    s.lanes = j->caps->subgroup_size;
    s.weights = (size_t)s.rows * s.nq;
    s.blob = s.weights * (j->f16 ? 8 : 16) + (size_t)3 * s.nq * 16;
    return s;
}

static const float *read_weights(struct lower *l, const struct node *node, const struct shape *s)
{
    const uint64_t shape[] = {node->c, s->c, s->kernel, s->kernel}, unshuffled[] = {node->c, (uint64_t)s->c * s->kernel * s->kernel, 1, 1};
    return lower_read(l, node->scope, "weight", node->linear ? 2 : 4, node->unshuffle ? unshuffled : shape);
}

/*
 * Of output o and row k in W as conv_lanes reads it: [out / 16][k / 16][oct][invocation][8]. An oct of x spans 8 / e matrices, a
 * quad of y 4 / e: e elements of each, in the columns that the invocation has.
 */
static size_t dealt(const struct shape *s, uint32_t o, uint32_t k)
{
    const struct gpu_deal *d = s->deal;
    uint32_t e = 16 / d->row_lanes, deep = 8 * d->row_lanes, wide = 4 * d->row_lanes;
    uint32_t row = d->column[k % deep / 8 * e + k % e], column = d->column[o % wide / 4 * e + o % e];
    uint32_t km = k / deep * (8 / e) + k % 8 / e, nm = o / wide * (4 / e) + o % 4 / e;
    uint32_t at = d->b[row * 16 + column], length = 256 / s->lanes, lane = at / length, i = at % length;
    return ((size_t)nm * (s->rows / 16) + km) * 256 + (i / 8 * s->lanes + lane) * 8 + i % 8;
}

/* Number of a weight: in W by rows, whole runs of outputs. */
static size_t place(const struct shape *s, uint32_t o, uint32_t k)
{
    return s->deal ? dealt(s, o, k) : ((size_t)(o / s->run) * s->rows + k) * s->run + o % s->run;
}

/*
 * (out, in, ky, kx) -> [run of out][ky, kx, in padded][out of the run]. The weights (out, in * r * r) of a 1x1 convolution
 * on an unshuffled input lie in memory as (out, in, r, r): the same.
 */
static void pack_weights(void *blob, const float *w, const double *mul, const struct node *node, const struct shape *s, bool f16)
{
    uint32_t taps = s->kernel * s->kernel;
    for (uint32_t o = 0; o < node->c; o++)
        for (uint32_t c = 0; c < s->c; c++)
            for (uint32_t t = 0; t < taps; t++) {
                op_store(blob, place(s, o, t * s->cq * 4 + c), w[((size_t)o * s->c + c) * taps + t] * mul[o], f16);
            }
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

/* q is scaled after its rotation: as well before, in its weights. */
static void scale_queries(const struct node *node, struct epilogue *e)
{
    uint32_t c = node->c / 3;
    double scale = 1 / sqrt((double)c / node->heads);
    for (uint32_t i = 0; i < c; i++) {
        e->mul[i] *= scale;
        e->add[i] *= scale;
    }
}

static struct gpu_range upload(struct lower *l, const struct node *node, struct shape *s, bool *scaled)
{
    bool f16 = lower_f16(l);
    struct epilogue e;
    const float *turns = node->rope ? op_rope_turns(l, node->h, node->w, node->c / 3 / node->heads, &s->turns) : NULL;
    char *blob = lower_alloc(l, s->blob + align_up(s->turns, 16));
    const float *w = read_weights(l, node, s);
    if (!blob || !w || !op_fold_epilogue(l, node, node->bias, &e) || (node->rope && !turns))
        return (struct gpu_range){0};
    if (node->rope)
        scale_queries(node, &e);
    pack_weights(blob, w, e.mul, node, s, f16);
    pack_parameters((float *)(blob + s->weights * (f16 ? 8 : 16)), &e, node->c, 4 * s->nq);
    if (turns)
        memcpy(blob + s->blob, turns, s->turns);
    *scaled = e.scale != NULL;
    return lower_upload(l, blob, s->blob + align_up(s->turns, 16));
}

/* Constants 0 to 4: the tile; 5 to 12: what is computed; matrices have more. */
static void specialise(struct lower_pass *pass, const struct variant *v, const struct tile *t, const struct node *node, bool scaled,
                       const struct gpu_caps *caps)
{
    const uint32_t simt[] = {v->wg, v->lx, v->tm, v->tn, v->bk};
    const struct gpu_deal *d = &caps->coop.deal;
    const uint32_t matrix[] = {t->wg, v->groups[0], v->groups[1], v->groups[2], v->kind == LANES ? d->row_lanes : t->shared};
    const uint32_t rope = node->rope ? node->c / 12 / node->heads : 0, width = node->rope ? node->w : 1;
    const uint32_t what[] = {node->kernel, node->stride, node->pad > 0, node->act, scaled, node->residual != 0, rope, width};
    const uint32_t frags[] = {v->frags[0], v->frags[1], v->frags[2], caps->coop.m, caps->coop.n, caps->coop.k};
    const uint32_t lanes[] = {v->frags[0], v->frags[1], d->step, d->row_step, d->run, d->run_step};
    memcpy(pass->spec, on_matrices(v) ? matrix : simt, sizeof(matrix));
    memcpy(pass->spec + 5, what, sizeof(what));
    memcpy(pass->spec + 13, v->kind == LANES ? lanes : frags, sizeof(frags));
    pass->n_spec = on_matrices(v) ? 19 : 13;
    pass->subgroup_size = on_matrices(v) ? caps->subgroup_size : 0;
}

bool op_conv_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = node->residual ? lower_residual(l) : x;
    const struct job job = {.caps = lower_caps(l),
                            .x = &x,
                            .m = y.h * y.w,
                            .nq = y.stride4,
                            .kq = div_up(x.c, 4) * node->kernel * node->kernel,
                            .f16 = y.f16,
                            .linear = node->kernel == 1 && node->stride == 1};
    const struct variant *v = pick(l, node, &job);
    if (!v)
        return false;
    struct tile t = tile_of(v, job.caps);
    struct shape s = shape_of(node, v, &t, &job);
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
                                   .n_store = lower_quads(&y),
                                   .params = (uint32_t)s.weights,
                                   .pad = node->pad,
                                   .rq = div_up(y.c, 4),
                                   .turns = (uint32_t)(s.blob / (y.f16 ? 8 : 16)),
                                   .turn_quads = y.c / 12};
    double k = (double)s.c * s.kernel * s.kernel;
    struct lower_pass pass = {.shader = v->shader,
                              .binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .push = &push,
                              .push_size = sizeof(push),
                              .groups = {div_up(s.nq, t.nq), div_up(s.m, t.m), 1},
                              .flops = 2.0 * s.m * node->c * k,
                              .bytes =
                                  op_tensor_bytes(&x) + op_tensor_bytes(&y) * (node->residual ? 2 : 1) + k * node->c * (x.f16 ? 2 : 4)};
    specialise(&pass, v, &t, node, scaled, job.caps);
    return lower_pass(l, &pass);
}
