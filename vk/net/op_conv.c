/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense convolution as an implicit matrix product (shaders/conv.glsl): M output pixels x N output channels, summed over
 * k = (ky, kx, input channel). One table lists the shader variants; the cheapest for the shape is taken.
 */
#include "op_conv.h"

#include "../../shaders/iface.h"

#include <math.h>
#include <string.h>

/* Sizes of the product in the chosen variant's units. */
struct shape {
    uint32_t m, kernel, c;       /* c: input channels */
    uint32_t cq, kq, nq;         /* quads: of input channels, of k, of a row of W (whole tiles) */
    uint32_t rows, run;          /* of W: k in whole tiles; channels that lie together, the tile's or all */
    const struct gpu_caps *deal; /* of conv_lanes: the device that deals out matrices */
    uint32_t piece;              /* with it: channels that an invocation finishes together */
    size_t weights;              /* quads of W */
    size_t turns;                /* bytes of the rotary table */
    size_t blob;                 /* bytes with the parameters and the table behind */
};

static struct shape shape_of(const struct node *node, const struct conv_variant *v, const struct conv_tile *t, const struct conv_job *j)
{
    struct shape s = {.m = j->m, .kernel = node->kernel, .c = j->x->c, .cq = div_up(j->x->c, 4)};
    if (op_conv_on_matrices(v))
        s.cq = (uint32_t)align_up(s.cq, 2);
    s.kq = s.cq * s.kernel * s.kernel;
    s.deal = v->kind == CONV_LANES ? j->caps : NULL;
    s.piece = s.deal ? op_conv_piece(v, j->caps) : 0;
    uint32_t whole = s.deal ? s.deal->coop.deal.row_lanes * s.piece / 4 : t->nq;
    s.nq = div_up(j->nq, whole) * whole;
    s.rows = (uint32_t)align_up(s.kq, t->kq) * 4;
    s.run = 4 * (v->kind == CONV_MATRIX ? t->nq : s.nq);
    s.weights = (size_t)s.rows * s.nq;
    s.blob = s.weights * (j->f16 ? 8 : 16) + (size_t)3 * s.nq * 16;
    return s;
}

static const float *read_weights(struct lower *l, const struct node *node, const struct shape *s)
{
    if (node->made)
        return node->made;
    const uint64_t shape[] = {node->c, s->c, s->kernel, s->kernel}, unshuffled[] = {node->c, (uint64_t)s->c * s->kernel * s->kernel, 1, 1};
    return lower_read(l, node->scope, "weight", node->linear ? 2 : 4, node->unshuffle ? unshuffled : shape);
}

/* An oct of x spans 8 / e matrices, a piece of y piece / e: e elements of each, in the columns that the invocation has. */
size_t op_conv_dealt(const struct gpu_caps *caps, uint32_t piece, uint32_t rows, uint32_t o, uint32_t k)
{
    const struct gpu_deal *d = &caps->coop.deal;
    uint32_t e = 16 / d->row_lanes, deep = 8 * d->row_lanes, wide = piece * d->row_lanes;
    uint32_t row = d->column[k % deep / 8 * e + k % e], column = d->column[o % wide / piece * e + o % e];
    uint32_t km = k / deep * (8 / e) + k % 8 / e, nm = o / wide * (piece / e) + o % piece / e;
    uint32_t lanes = caps->subgroup_size, at = d->b[row * 16 + column], length = 256 / lanes, lane = at / length, i = at % length;
    return ((size_t)nm * (rows / 16) + km) * 256 + (i / 8 * lanes + lane) * 8 + i % 8;
}

/* Number of a weight: in W by rows, whole runs of outputs. */
static size_t place(const struct shape *s, uint32_t o, uint32_t k)
{
    return s->deal ? op_conv_dealt(s->deal, s->piece, s->rows, o, k) : ((size_t)(o / s->run) * s->rows + k) * s->run + o % s->run;
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
            for (uint32_t t = 0; t < taps; t++)
                op_store(blob, place(s, o, t * s->cq * 4 + c), w[((size_t)o * s->c + c) * taps + t] * mul[o], f16);
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
static void specialise(struct lower_pass *pass, const struct conv_variant *v, const struct conv_tile *t, const struct node *node,
                       bool scaled, const struct gpu_caps *caps)
{
    const uint32_t simt[] = {v->wg, v->lx, v->tm, v->tn, v->bk};
    const struct gpu_deal *d = &caps->coop.deal;
    const uint32_t matrix[] = {t->wg, v->groups[0], v->groups[1], v->groups[2], v->kind == CONV_LANES ? d->row_lanes : t->shared};
    const uint32_t rope = node->rope ? node->c / 12 / node->heads : 0, width = node->rope ? node->w : 1;
    const uint32_t what[] = {node->kernel, node->stride, node->pad > 0, node->act, scaled, node->residual ? node->early ? 2 : 1 : 0,
                             rope,         width};
    const uint32_t frags[] = {v->frags[0], v->frags[1], v->frags[2], caps->coop.m, caps->coop.n, caps->coop.k};
    const uint32_t lanes[] = {v->frags[0], v->frags[1], d->step, d->row_step, d->run, d->run_step, v->frags[2]};
    const uint32_t cpu[] = {1, 1, node->kernel > 1 || node->stride > 1 || node->pad > 0, node->act, scaled, what[5], node->rope, 1};
    memcpy(pass->spec, op_conv_on_matrices(v) ? matrix : simt, sizeof(matrix));
    memcpy(pass->spec + 5, v->kind == CONV_CPU ? cpu : what, sizeof(what));
    memcpy(pass->spec + 13, v->kind == CONV_LANES ? lanes : frags, v->kind == CONV_LANES ? sizeof(lanes) : sizeof(frags));
    pass->n_spec = v->kind == CONV_LANES ? 20 : op_conv_on_matrices(v) ? 19 : 13;
    pass->subgroup_size = op_conv_on_matrices(v) ? caps->subgroup_size : 0;
}

bool op_conv_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = node->residual ? lower_residual(l) : x;
    const struct conv_job job = {.caps = lower_caps(l),
                                 .x = &x,
                                 .y = &y,
                                 .r = node->residual ? &r : NULL,
                                 .m = y.h * y.w,
                                 .nq = lower_quads(&y), /* of a view its own channels, not its neighbours' */
                                 .kq = div_up(x.c, 4) * node->kernel * node->kernel,
                                 .f16 = y.f16,
                                 .linear = node->kernel == 1 && node->stride == 1};
    const struct conv_variant *v = op_conv_pick(l, node, &job);
    if (!v)
        return false;
    struct conv_tile t = op_conv_tile(v, job.caps);
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
                                   .turn_quads = y.c / 12,
                                   .kernel = node->kernel,
                                   .stride = node->stride,
                                   .rope = node->rope ? node->c / 12 / node->heads : 0,
                                   .run_rows = t.wg / y.w,
                                   .run_pixels = t.wg % y.w};
    double k = (double)s.c * s.kernel * s.kernel;
    struct lower_pass pass = {.shader = v->shader,
                              .binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .push = &push,
                              .push_size = v->kind == CONV_CPU ? sizeof(push) : offsetof(struct conv_push, kernel),
                              .groups = {div_up(s.nq, t.nq), div_up(s.m, t.m), 1},
                              .flops = 2.0 * s.m * node->c * k,
                              .bytes =
                                  op_tensor_bytes(&x) + op_tensor_bytes(&y) * (node->residual ? 2 : 1) + k * node->c * (x.f16 ? 2 : 4)};
    specialise(&pass, v, &t, node, scaled, job.caps);
    return lower_pass(l, &pass);
}
