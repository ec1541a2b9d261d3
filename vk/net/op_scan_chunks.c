/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selective scan of a map of middle size where there are cooperative matrices: three passes. The map is cut into chunks of CHUNK
 * places in the order of rows and in that of columns, each scanned both ways. z stays in shared memory.
 *
 *   scan_chunks  every chunk from zero: its product of a and last state             (4, chunks, quads, 2)
 *                of every pixel, along rows and along columns, what it adds to y from zero, and what the state that its chunk
 *                starts with is multiplied by, each way                             (pixels, 2, 3, quads)
 *   scan_carry   the states that the chunks start with, in place of the last ones
 *   scan_sum     y, the layer norm of it (node->layer_norm) and a residual
 */
#include "../half.h"
#include "op_scan.h"
#include "shaders/iface.h"

#define CHUNK         16    /* places of scan_chunks */
#define CHUNKS_PIXELS 16384 /* larger maps are as fast in tiles, or faster */
#define CHUNKS_WIDE   24    /* quads of channels from which larger workgroups are worth it */
#define SUM_WG        256   /* invocations of scan_sum, about */

/* How scan_chunks cuts the map; wg is 0 where it does not fit. */
struct chunks {
    uint32_t chunk, chunks;    /* places a chunk, chunks a workgroup */
    uint32_t wg;               /* invocations */
    uint32_t rows, w_channels; /* of the projection's weights, with zeros */
};

/* As in the shader. */
static uint32_t chunks_shared(const struct scan *s, const struct chunks *t)
{
    uint32_t places = t->chunk * t->chunks, pitch = t->w_channels / 8 + 1;
    return places * 4 + 16 * pitch * (places + t->rows) + 16 * places * (t->rows / 4 + 1) + 16 * places * s->quads;
}

static struct chunks choose_chunks(const struct net_target *target, const struct net_memory *x, const struct scan *s)
{
    const struct gpu_caps *caps = target->caps;
    struct chunks t = {.chunk = CHUNK, .chunks = 1};
    if (!target->matrices || s->h * s->w > CHUNKS_PIXELS || (x->offset4 | x->stride4) % 2)
        return t;
    t.rows = (uint32_t)align_up(8 * s->ranks4, caps->coop.m);
    t.w_channels = (uint32_t)align_up(4 * s->quads, caps->coop.k);
    while (t.chunk * t.chunks % caps->coop.n)
        t.chunks *= 2;
    const uint32_t least = s->quads < CHUNKS_WIDE ? 128 : 256, invocations = 4 * s->quads;
    struct chunks more = t;
    while (chunks_shared(s, &more) <= caps->shared_memory && more.chunks * invocations <= caps->max_invocations) {
        t = more;
        t.wg = (uint32_t)align_up(t.chunks * invocations, caps->subgroup_size);
        if (t.chunks * invocations >= least)
            break;
        more.chunks *= 2;
    }
    if (t.wg > caps->max_invocations)
        t.wg = 0;
    return t;
}

static uint64_t terms_size(const struct scan *s, bool f16)
{
    return align_up((uint64_t)s->h * s->w * 6 * s->quads * (f16 ? 8 : 16), 256);
}

/* The sizes of a scan in chunks: every sequence has as many. */
static struct scan in_chunks(struct scan s, const struct chunks *t)
{
    s.rows = s.columns = div_up(s.h * s.w, t->chunk);
    return s;
}

bool op_scan_chunks_fits(const struct net_target *target, const struct node *node, const struct net_memory *x)
{
    const struct scan s = op_scan_sizes(node);
    return !node->front && choose_chunks(target, x, &s).wg;
}

uint64_t op_scan_chunks_scratch(const struct net_target *target, const struct node *node, const struct net_memory *x)
{
    struct scan s = op_scan_sizes(node);
    const struct chunks t = choose_chunks(target, x, &s);
    s = in_chunks(s, &t);
    return terms_size(&s, target->f16) + op_scan_states_size(&s);
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* x_proj_weight (4, rank + 2, c) as (rows or columns, both ways of z's rows, channels) halves. */
static struct gpu_range upload_both_ways(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t)
{
    uint32_t rows = s->rank + 2;
    size_t count = (size_t)2 * t->rows * t->w_channels;
    const float *from = lower_read(l, node->scope, "x_proj_weight", 3, (const uint64_t[]){4 * rows, s->c, 1});
    uint16_t *to = lower_alloc(l, count * sizeof(*to));
    if (!from || !to)
        return lower_upload(l, NULL, 0);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t c = 0; c < s->c; c++)
                to[(k % 2 * t->rows + k / 2 * 4 * s->ranks4 + op_scan_place_in_z(s, i)) * t->w_channels + c] =
                    half_from_float(from[(k * rows + i) * s->c + c] * (i == s->rank ? LN_2 : 1));
    return lower_upload(l, to, count * sizeof(*to));
}

static bool chunks(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t, struct gpu_range terms,
                   struct gpu_range states)
{
    struct net_memory x = lower_input(l, 0);
    struct gpu_range weight = upload_both_ways(l, node, s, t), steps = op_scan_steps(l, node, s), vectors = op_scan_vectors(l, node);
    const struct gpu_caps *caps = lower_caps(l);
    const struct scan_chunks_push push = {s->h * s->w, s->w, s->h, s->rows, x.stride4, x.offset4};
    return lower_pass(
        l,
        &(struct lower_pass){
            .shader = "scan_chunks",
            .binding =
                {{x.range, GPU_READ}, {weight, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {terms, GPU_WRITE}, {states, GPU_WRITE}},
            .n_bindings = 6,
            .spec = {t->wg, t->wg / caps->subgroup_size, s->quads, s->ranks4, t->chunk, t->chunks, caps->coop.m, caps->coop.n,
                     caps->coop.k},
            .n_spec = 9,
            .subgroup_size = caps->subgroup_size,
            .push = &push,
            .push_size = sizeof(push),
            .groups = {div_up(s->rows, t->chunks), 2, 1},
            .flops = op_scan_flops(s) + 8.0 * push.pixels * s->c * (s->rank + 2),
            .bytes = 2 * op_tensor_bytes(&x) + (double)terms.size + (double)states.size,
        });
}

/* The sum of the directions, the layer norm of it, a residual. */
static bool sum(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t, struct gpu_range terms,
                struct gpu_range states)
{
    struct net_memory y = lower_output(l), r = node->residual ? lower_residual(l) : y;
    uint32_t nq = lower_quads(&y), each = div_up(nq, 32), lanes = div_up(nq, each);
    struct gpu_range parameters = node->layer_norm ? op_layer_norm_parameters(l, node, node->layer_norm, nq) : states;
    const struct scan_sum_push push = {.pixels = s->h * s->w,
                                       .w = s->w,
                                       .h = s->h,
                                       .chunks = s->rows,
                                       .quads = s->quads,
                                       .c = s->c,
                                       .nq = nq,
                                       .y_stride = y.stride4,
                                       .y_offset = y.offset4,
                                       .r_stride = r.stride4,
                                       .r_offset = r.offset4,
                                       .eps = LAYER_NORM_EPS};
    struct lower_pass pass = {
        .shader = "scan_sum",
        .binding = {{terms, GPU_READ},
                    {states, GPU_READ},
                    {parameters, GPU_READ},
                    {node->residual ? r.range : terms, GPU_READ},
                    {y.range, GPU_WRITE}},
        .n_bindings = 5,
        .spec = {lanes * max_u32(1, SUM_WG / lanes), lanes, each, t->chunk, node->layer_norm != NULL, node->residual != 0},
        .n_spec = 6,
        .push = &push,
        .push_size = sizeof(push),
        .flops = 28.0 * push.pixels * s->c,
        .bytes = (double)terms.size + op_tensor_bytes(&y) * (node->residual ? 2 : 1),
    };
    op_flat_groups(push.pixels, pass.spec[0] / lanes, pass.groups);
    return lower_pass(l, &pass);
}

bool op_scan_chunks_lower(struct lower *l, const struct node *node)
{
    const struct net_memory x = lower_input(l, 0);
    struct scan s = op_scan_sizes(node);
    const struct chunks t = choose_chunks(lower_target(l), &x, &s);
    s = in_chunks(s, &t);
    uint64_t first = terms_size(&s, lower_f16(l));
    struct gpu_range terms = lower_scratch(l, 0, first), states = lower_scratch(l, first, op_scan_states_size(&s));
    if (!chunks(l, node, &s, &t, terms, states) || !op_scan_carry(l, &s, states))
        return false;
    if (node->proj)
        return op_scan_proj_lower(l, node, &(struct scan_result){terms, states, 0, t.chunk, s.rows});
    return sum(l, node, &s, &t, terms, states);
}
