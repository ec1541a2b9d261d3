/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows a scan in one pass, where the order of a matrix's elements is known (shaders/scan_proj.comp): the sum of the
 * directions if it was made in chunks, its layer norm, a residual (the node's second input), and a 1x1 convolution (node->proj) with
 * the layer scale and the residual behind it.
 */
#include "op_conv.h"
#include "op_scan.h"
#include "shaders/iface.h"

#define SIZE        16    /* of a matrix */
#define MOST_PIXELS 16384 /* larger maps fill the machine pass by pass */
#define FULL_PIXELS 2048  /* a map from here on fills the machine with 32 pixels a workgroup */
#define AHEAD       8     /* steps of k whose weights are asked for before the norm */

/* How scan_proj cuts the product. */
struct cut {
    uint32_t groups[3], frags[2]; /* subgroups along pixels, channels and k; matrices of each */
    uint32_t places, lanes, wg;   /* pixels of a workgroup, invocations of a pixel's norm, invocations */
    uint32_t steps, nq;           /* of k, row_lanes octs each; quads of a row of the weights */
    uint32_t piece;               /* channels that an invocation finishes together */
};

/* As in the shader. */
static uint32_t shared_bytes(const struct gpu_caps *caps, const struct cut *t)
{
    uint32_t sums = t->groups[2] > 1 ? t->wg / caps->subgroup_size * t->frags[0] * t->frags[1] * SIZE * SIZE * 4 : 0;
    return max_u32(t->places * (t->steps * caps->coop.deal.row_lanes + 4) * 16, sums) + 8 * t->wg / t->lanes;
}

/*
 * Subgroups and their matrices, for c channels in n columns of matrices. A workgroup makes the norm of its pixels for all channels:
 * where there are enough pixels it makes all of their product too. On a small map two or four workgroups share it, each with the
 * norm again; many channels are split along k besides.
 */
static void share_out(struct cut *t, uint32_t n, uint32_t pixels, bool octs)
{
    *t = (struct cut){.groups = {1, 1, 1}, .frags = {1, 2}};
    if (n <= 4) {
        t->groups[1] = div_up(n, 2);
        t->groups[0] = 4 / t->groups[1];
    } else if (pixels >= FULL_PIXELS) {
        t->groups[0] = 2;
        t->groups[1] = div_up(div_up(n, 2), div_up(n, 16));
    } else if (n <= 12 && !octs) {
        t->frags[1] = 1;
        t->groups[1] = div_up(n, 2);
    } else {
        t->frags[0] = 2;
        t->groups[1] = div_up(n, 8);
        t->groups[2] = 2;
    }
}

static struct cut choose_cut(const struct gpu_caps *caps, const struct node *node)
{
    const uint32_t row_lanes = caps->coop.deal.row_lanes;
    struct cut t;
    share_out(&t, div_up(node->c, SIZE), node->h * node->w, row_lanes > 4);
    t.wg = t.groups[0] * t.groups[1] * t.groups[2] * caps->subgroup_size;
    t.places = t.groups[0] * t.frags[0] * SIZE;
    t.steps = div_up(div_up(node->c, 8), row_lanes);
    for (t.lanes = 1; 2 * t.lanes * t.places <= t.wg && 2 * t.lanes <= caps->subgroup_size;)
        t.lanes *= 2;
    t.piece = t.frags[1] * SIZE / row_lanes % 8 == 0 ? 8 : 4;
    t.nq = (uint32_t)align_up(div_up(node->c, 4), row_lanes * t.piece / 4);
    return t;
}

bool op_scan_proj_fits(const struct net_target *target, const struct node *node)
{
    const struct gpu_caps *caps = target->caps;
    if (!target->matrices || !caps->coop.deal.row_lanes || !caps->subgroup_shuffle || !caps->whole_subgroups || caps->max_bindings < 6)
        return false;
    const struct cut t = choose_cut(caps, node);
    return node->h * node->w <= MOST_PIXELS && t.wg <= caps->max_invocations && shared_bytes(caps, &t) <= caps->shared_memory;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* W as conv_lanes reads it, float32 bias (nq quads) with the norm's in it, the norm's weights as halves (whole octs). */
static struct gpu_range upload(struct lower *l, const struct node *node, const struct cut *t)
{
    const struct gpu_caps *caps = lower_caps(l);
    uint32_t c = node->c, rows = t->steps * caps->coop.deal.row_lanes * 8;
    struct node conv = {.op = OP_CONV, .scope = node->proj, .scale = node->scale, .bias = node->bias, .c = c};
    struct epilogue e;
    size_t weights = (size_t)rows * t->nq * 8, size = weights + (size_t)t->nq * 16 + div_up(c, 8) * 16;
    const float *w = lower_read(l, node->proj, "weight", 4, (const uint64_t[]){c, c, 1, 1});
    const float *gain = lower_read(l, node->layer_norm, "weight", 1, (const uint64_t[]){c});
    const float *shift = lower_read(l, node->layer_norm, "bias", 1, (const uint64_t[]){c});
    char *blob = lower_alloc(l, size);
    if (!w || !gain || !shift || !blob || !op_fold_epilogue(l, &conv, conv.bias, &e))
        return (struct gpu_range){0};
    float *bias = (float *)(blob + weights);
    for (uint32_t o = 0; o < c; o++) {
        double sum = 0;
        for (uint32_t i = 0; i < c; i++) {
            op_store(blob, op_conv_dealt(caps, t->piece, rows, o, i), w[(size_t)o * c + i] * e.mul[o], true);
            sum += (double)w[(size_t)o * c + i] * shift[i];
        }
        bias[o] = (float)(e.add[o] + e.mul[o] * sum);
        op_store(bias + 4 * t->nq, o, gain[o], true);
    }
    return lower_upload(l, blob, size);
}

/* ---- the pass -------------------------------------------------------------------------------- */

bool op_scan_proj_lower(struct lower *l, const struct node *node, const struct scan_result *from)
{
    const struct gpu_caps *caps = lower_caps(l);
    const struct gpu_deal *d = &caps->coop.deal;
    const struct cut t = choose_cut(caps, node);
    struct net_memory y = lower_output(l), base = node->n_in > 1 ? lower_input(l, 1) : y, r = node->residual ? lower_residual(l) : y;
    struct gpu_range weights = upload(l, node, &t), none = from->range;
    if (!weights.size)
        return false;
    uint32_t bias = t.steps * d->row_lanes * 8 * t.nq / 2;
    const struct scan_proj_push push = {.pixels = node->h * node->w,
                                        .w = node->w,
                                        .h = node->h,
                                        .chunks = from->chunks,
                                        .nq = t.nq,
                                        .n_store = lower_quads(&y),
                                        .bias = bias,
                                        .norm = bias + t.nq,
                                        .x_stride = from->stride4,
                                        .base_stride = base.stride4,
                                        .base_offset = base.offset4,
                                        .y_stride = y.stride4,
                                        .y_offset = y.offset4,
                                        .r_stride = r.stride4,
                                        .r_offset = r.offset4,
                                        .eps = LAYER_NORM_EPS};
    return lower_pass(
        l,
        &(struct lower_pass){
            .shader = "scan_proj",
            .binding = {{from->range, GPU_READ},
                        {from->chunk ? from->states : none, GPU_READ},
                        {weights, GPU_READ},
                        {node->n_in > 1 ? base.range : none, GPU_READ},
                        {node->residual ? r.range : none, GPU_READ},
                        {y.range, GPU_WRITE}},
            .n_bindings = 6,
            .spec = {t.wg, t.groups[0], t.groups[1], t.groups[2], d->row_lanes, t.frags[0], t.frags[1], d->step, d->row_step, d->run,
                     d->run_step, node->c, t.lanes, AHEAD, from->chunk, node->n_in > 1, node->residual != 0},
            .n_spec = 17,
            .subgroup_size = caps->subgroup_size,
            .push = &push,
            .push_size = sizeof(push),
            .groups = {div_up(t.nq / 4, t.groups[1] * t.frags[1]), div_up(push.pixels, t.places), 1},
            .flops = 2.0 * push.pixels * node->c * node->c,
            .bytes = (double)from->range.size + op_tensor_bytes(&y) * (1 + (node->n_in > 1) + (node->residual != 0)) + (double)weights.size,
        });
}
