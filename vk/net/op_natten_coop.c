/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighborhood attention on cooperative matrices (shaders/natten_coop.comp): the tile of a workgroup, and the bias as the
 * matrices that the logits start from. A matrix, a group of queries x the keys of a row, depends on where the group's windows lie
 * relative to its queries: always the same within the map, other places only near the borders. So there are few kinds of rows
 * and of columns, and a table of which is where.
 */
#include <string.h>

#include "lower.h"
#include "shaders/iface.h"

enum {
    KEYS = 16, /* of a row that a group may see */
    MAX_SIDE = 16,
};

/* Groups of queries of a workgroup, and subgroups for each. */
struct coop_tile {
    uint32_t gx, gy, split;
};

struct shape {
    const struct gpu_caps *caps;
    const struct node *node;
    uint32_t d4, qx, qy;         /* quads of a head; pixels of a group */
    uint32_t groups_x, groups_y; /* the map in groups */
    uint32_t rows;               /* of keys that a group sees */
    struct coop_tile tile;
    uint32_t shared; /* octs */
};

static uint32_t window_start(uint32_t i, uint32_t n, uint32_t window)
{
    uint32_t start = i > window / 2 ? i - window / 2 : 0;
    return start < n - window ? start : n - window;
}

/* Groups as wide as their windows' keys allow. */
static struct shape shape_of(const struct gpu_caps *caps, const struct node *node)
{
    struct shape s = {.caps = caps, .node = node, .d4 = node->c / node->heads / 4, .qx = caps->coop.m};
    while (s.qx > 1 && s.qx + node->window - 1 > KEYS)
        s.qx /= 2;
    s.qy = caps->coop.m / s.qx;
    s.groups_x = div_up(node->w, s.qx);
    s.groups_y = div_up(node->h, s.qy);
    s.rows = s.qy + node->window - 1;
    return s;
}

/* As in the shader: keys, and behind them what each subgroup needs; at the end the sums. */
static uint32_t shared_octs(const struct shape *s, const struct coop_tile *t)
{
    uint32_t width = t->gx * s->qx + s->node->window - 1, height = t->gy * s->qy + s->node->window - 1, m = s->caps->coop.m;
    uint32_t d = (uint32_t)align_up(4 * s->d4, 16), pitch = d / 8 + 1, subgroups = t->gx * t->gy * t->split;
    uint32_t keys = (width * height + KEYS) * pitch, scratch = m * max_u32(pitch, 5), sums = m * ((d + s->caps->coop.n) / 4 + 1);
    return max_u32(keys + subgroups * scratch, subgroups * sums);
}

static uint32_t workgroups(const struct shape *s, const struct coop_tile *t)
{
    return div_up(s->groups_x, t->gx) * div_up(s->groups_y, t->gy) * s->node->heads;
}

/* The largest workgroup of those that fill a GPU; the smallest that fits where none does. Sizes measured on a Hopper GPU. */
static bool choose_tile(struct shape *s)
{
    static const struct coop_tile wide[] = {{1, 4, 2}, {1, 2, 4}, {1, 1, 4}}, square[] = {{2, 2, 2}, {2, 1, 4}, {1, 1, 4}};
    const struct coop_tile *tiles = s->qx > s->qy ? wide : square;
    bool found = false;
    for (size_t i = 0; i < 3; i++) {
        const struct coop_tile *t = &tiles[i];
        uint32_t subgroups = t->gx * t->gy * t->split, octs = shared_octs(s, t);
        if (subgroups * s->caps->subgroup_size > s->caps->max_invocations ||
            octs * 16 + subgroups * s->caps->coop.m * 4 > s->caps->shared_memory)
            continue;
        s->tile = *t;
        s->shared = octs;
        found = true;
        if (workgroups(s, t) >= 128)
            break;
    }
    return found;
}

/*
 * Whether the matrices' zeros and masked keys cost too much. Measured against natten.comp on a Hopper GPU, 12 heads of 36 on 32x32:
 * window 7 takes 19.8 us instead of 17.5, window 9 (4 heads) 12 instead of 18.8.
 */
static bool wasteful(const struct shape *s)
{
    return s->d4 > 8 && s->d4 % 4 && s->node->window < 9;
}

bool op_natten_coop_fits(struct lower *l, const struct node *node)
{
    const struct gpu_caps *caps = lower_caps(l);
    if (!lower_matrices(l) || node->window > 13)
        return false;
    if (KEYS % caps->coop.m || KEYS % caps->coop.n || KEYS % caps->coop.k)
        return false;
    struct shape s = shape_of(caps, node);
    return !wasteful(&s) && choose_tile(&s) && workgroups(&s, &s.tile) / node->heads <= 65535;
}

/* Kinds of columns (or rows) of the bias: each kind's number of signs, and each place's kind. */
struct kinds {
    int32_t (*sign)[2 * MAX_SIDE];
    uint32_t *of, n;
};

static bool kinds_alloc(struct lower *l, struct kinds *k, uint32_t places)
{
    k->sign = lower_alloc(l, sizeof(*k->sign) * places);
    return k->sign != NULL;
}

static void kinds_add(struct kinds *k, uint32_t place, const int32_t sign[2 * MAX_SIDE])
{
    uint32_t i = 0;
    while (i < k->n && memcmp(k->sign[i], sign, sizeof(*k->sign)) != 0)
        i++;
    if (i == k->n)
        memcpy(k->sign[k->n++], sign, sizeof(*k->sign));
    k->of[place] = i;
}

/* Sign of a column of groups: of each of its pixels the first key, and its own place among the keys. */
static void find_columns(const struct shape *s, struct kinds *k)
{
    uint32_t w = s->node->w, window = s->node->window;
    for (uint32_t g = 0; g < s->groups_x; g++) {
        int32_t sign[2 * MAX_SIDE] = {0};
        uint32_t left = window_start(g * s->qx, w, window);
        for (uint32_t i = 0; i < s->qx; i++) {
            uint32_t x = g * s->qx + i < w ? g * s->qx + i : w - 1;
            sign[2 * i] = (int32_t)(window_start(x, w, window) - left);
            sign[2 * i + 1] = (int32_t)(x - left);
        }
        kinds_add(k, g, sign);
    }
}

/* Sign of a row of keys for a row of groups: its row of the bias for each pixel, -1 where it is outside the window. */
static void find_rows(const struct shape *s, struct kinds *k)
{
    uint32_t h = s->node->h, window = s->node->window;
    for (uint32_t g = 0; g < s->groups_y; g++)
        for (uint32_t r = 0; r < s->rows; r++) {
            int32_t sign[2 * MAX_SIDE] = {0};
            uint32_t row = window_start(g * s->qy, h, window) + r;
            for (uint32_t i = 0; i < s->qy; i++) {
                uint32_t y = g * s->qy + i < h ? g * s->qy + i : h - 1, first = window_start(y, h, window);
                sign[i] = row >= first && row < first + window ? (int32_t)(row + window - 1 - y) : -1;
            }
            kinds_add(k, g * s->rows + r, sign);
        }
}

/* One matrix: from a head's table (2w-1, 2w-1). */
static void fill(const struct shape *s, float *to, const float *bias, const int32_t *column, const int32_t *row)
{
    int32_t window = (int32_t)s->node->window, side = 2 * window - 1;
    for (uint32_t q = 0; q < s->caps->coop.m; q++) {
        int32_t first = column[2 * (q % s->qx)], x = column[2 * (q % s->qx) + 1], y = row[q / s->qx];
        for (int32_t n = 0; n < KEYS; n++)
            *to++ = y >= 0 && n >= first && n < first + window ? bias[y * side + n - x + window - 1] : -1e30f;
    }
}

static struct gpu_range upload_bias(struct lower *l, const struct shape *s, const struct kinds *columns, const struct kinds *rows)
{
    uint32_t side = 2 * s->node->window - 1, each = s->caps->coop.m * KEYS;
    uint64_t shape[3] = {s->node->heads, side, side};
    size_t bytes = sizeof(float) * s->node->heads * columns->n * rows->n * each;
    const float *bias = lower_read(l, s->node->scope, NULL, 3, shape);
    float *table = bias ? lower_alloc(l, bytes) : NULL, *to = table;
    if (!table)
        return (struct gpu_range){0};
    for (uint32_t h = 0; h < s->node->heads; h++)
        for (uint32_t c = 0; c < columns->n; c++)
            for (uint32_t r = 0; r < rows->n; r++, to += each)
                fill(s, to, bias + (size_t)h * side * side, columns->sign[c], rows->sign[r]);
    return lower_upload(l, table, bytes);
}

static bool add_pass(struct lower *l, const struct shape *s, const struct natten_coop_push *push, struct gpu_range bias,
                     struct gpu_range kinds)
{
    struct net_memory in = lower_input(l, 0), out = lower_output(l);
    const struct node *node = s->node;
    const struct gpu_coop *coop = &s->caps->coop;
    uint32_t wg = s->tile.gx * s->tile.gy * s->tile.split * s->caps->subgroup_size;
    bool aligned = (in.offset4 | in.stride4 | push->quads | s->d4) % 2 == 0;
    double pixels = (double)node->h * node->w;
    return lower_pass(l, &(struct lower_pass){
                             .shader = "natten_coop",
                             .binding = {{in.range, GPU_READ}, {out.range, GPU_WRITE}, {bias, GPU_READ}, {kinds, GPU_READ}},
                             .n_bindings = 4,
                             .spec = {wg, s->d4, node->window, s->qx, s->tile.gx, s->tile.gy, s->tile.split, aligned, coop->m, coop->n,
                                      coop->k, s->shared},
                             .n_spec = 12,
                             .subgroup_size = s->caps->subgroup_size,
                             .matrices = true,
                             .push = push,
                             .push_size = sizeof(*push),
                             .groups = {workgroups(s, &s->tile) / node->heads, node->heads, 1},
                             .flops = 4.0 * pixels * node->c * node->window * node->window,
                             .bytes = 4.0 * pixels * node->c * 2,
                         });
}

bool op_natten_coop_lower(struct lower *l, const struct node *node)
{
    struct net_memory in = lower_input(l, 0), out = lower_output(l);
    struct shape s = shape_of(lower_caps(l), node);
    struct kinds columns = {0}, rows = {0};
    uint32_t places = s.groups_x + s.groups_y * s.rows;
    uint32_t *of = lower_alloc(l, sizeof(*of) * places);
    if (!choose_tile(&s) || !of || !kinds_alloc(l, &columns, s.groups_x) || !kinds_alloc(l, &rows, s.groups_y * s.rows))
        return false;
    columns.of = of;
    rows.of = of + s.groups_x;
    find_columns(&s, &columns);
    find_rows(&s, &rows);
    struct gpu_range bias = upload_bias(l, &s, &columns, &rows), kinds = lower_upload(l, of, sizeof(*of) * places);
    const struct natten_coop_push push = {
        .qkv_stride = in.stride4,
        .qkv_offset = in.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .height = node->h,
        .width = node->w,
        .quads = node->c / 4,
        .pad = out.pad4,
        .groups_x = s.groups_x,
        .groups_y = s.groups_y,
        .columns = columns.n,
        .rows = rows.n,
    };
    return bias.size && kinds.size && add_pass(l, &s, &push, bias, kinds);
}
