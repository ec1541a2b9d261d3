/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighborhood attention on cooperative matrices (shaders/natten_lanes.comp where the device deals out their elements as it
 * expects, else natten_coop.comp): the tile of a workgroup, and the bias as the matrices that the logits start from. A matrix, a
 * group of queries x the keys of a row, depends on where the group's windows lie relative to its queries: always the same within the
 * map, other places only near the borders. So there are few kinds of columns and rows of groups.
 */
#include "lower.h"
#include "shaders/iface.h"

enum { KEYS = 16 }; /* of a row that a group may see */

/* Groups of queries of a workgroup, and subgroups for each; rows of keys that a subgroup weighs at a time (natten_lanes.comp). */
struct coop_tile {
    uint32_t gx, gy, split, batch;
};

/* The map along one axis in groups of `size` pixels. Groups `first` to `last` are those whose windows no border cuts. */
struct axis {
    uint32_t size, n, window, groups, first, last, kinds;
};

struct shape {
    const struct gpu_caps *caps;
    const struct node *node;
    bool lanes;  /* natten_lanes.comp */
    uint32_t d4; /* quads of a head */
    struct axis x, y;
    uint32_t rows; /* of keys that a group sees */
    struct coop_tile tile;
    uint32_t shared; /* natten_coop.comp: octs */
};

static uint32_t window_start(uint32_t i, uint32_t n, uint32_t window)
{
    return min_u32(i > window / 2 ? i - window / 2 : 0, n - window);
}

static struct axis axis_of(uint32_t size, uint32_t n, uint32_t window)
{
    struct axis a = {.size = size, .n = n, .window = window, .groups = div_up(n, size), .first = div_up(window / 2, size)};
    uint32_t uncut = n - window + window / 2 + 1; /* pixels before those that the far border cuts */
    if (uncut / size > a.first)
        a.last = uncut / size - 1;
    else
        a.first = a.last = a.groups - 1; /* none: a kind for each */
    a.kinds = a.first + a.groups - a.last;
    return a;
}

/* A group of a kind; the shader does the reverse. */
static uint32_t group_of(const struct axis *a, uint32_t kind)
{
    return kind <= a->first ? kind : kind - a->first + a->last;
}

/* Groups as wide as their windows' keys allow. */
static struct shape shape_of(const struct gpu_caps *caps, const struct node *node)
{
    struct shape s = {.caps = caps, .node = node, .d4 = node->c / node->heads / 4};
    uint32_t qx = caps->coop.m;
    while (qx > 1 && qx + node->window - 1 > KEYS)
        qx /= 2;
    s.x = axis_of(qx, node->w, node->window);
    s.y = axis_of(caps->coop.m / qx, node->h, node->window);
    s.rows = s.y.size + node->window - 1;
    return s;
}

/* As in natten_coop.comp: keys, and behind them what each subgroup needs; at the end the sums. */
static uint32_t coop_octs(const struct shape *s, const struct coop_tile *t)
{
    uint32_t width = t->gx * s->x.size + s->node->window - 1, height = t->gy * s->y.size + s->node->window - 1, m = s->caps->coop.m;
    uint32_t d = (uint32_t)align_up(4 * s->d4, 16), pitch = d / 8 + 1, subgroups = t->gx * t->gy * t->split;
    uint32_t keys = (width * height + KEYS) * pitch, scratch = m * max_u32(pitch, 5), sums = m * ((d + s->caps->coop.n) / 4 + 1);
    return max_u32(keys + subgroups * scratch, subgroups * sums) + div_up(subgroups * m, 4);
}

/* As in natten_lanes.comp: the sums of subgroups that share a group. */
static uint32_t lanes_octs(const struct shape *s, const struct coop_tile *t)
{
    uint32_t quads = (s->d4 + 3) / 8 * 4 + ((s->d4 + 7) / 8 - (s->d4 + 3) / 8) * 2;
    return t->split > 1 ? t->gx * t->gy * t->split * (quads + 1) * 32 : 0;
}

static uint32_t workgroups(const struct shape *s, const struct coop_tile *t)
{
    return div_up(s->x.groups, t->gx) * div_up(s->y.groups, t->gy) * s->node->heads;
}

static bool tile_fits(const struct shape *s, const struct coop_tile *t, uint32_t octs)
{
    return t->gx * t->gy * t->split * s->caps->subgroup_size <= s->caps->max_invocations && octs * 16 <= s->caps->shared_memory;
}

/* The largest workgroup of those that fill a GPU; the smallest that fits where none does. Sizes measured on a Hopper GPU. */
static bool choose_coop(struct shape *s)
{
    static const struct coop_tile wide[] = {{1, 4, 2, 0}, {1, 2, 4, 0}, {1, 1, 4, 0}},
                                  square[] = {{2, 2, 2, 0}, {2, 1, 4, 0}, {1, 1, 4, 0}};
    const struct coop_tile *tiles = s->x.size > s->y.size ? wide : square;
    bool found = false;
    for (size_t i = 0; i < 3 && !(found && workgroups(s, &s->tile) >= 128); i++) {
        uint32_t octs = coop_octs(s, &tiles[i]);
        if (!tile_fits(s, &tiles[i], octs))
            continue;
        s->tile = tiles[i];
        s->shared = octs;
        found = true;
    }
    return found;
}

/*
 * With few groups of queries several subgroups share each, with many a workgroup has neighbours, which read the same keys. Up to 5
 * rows of keys at a time, the same number each time. Limits measured on a Hopper GPU.
 */
static bool choose_lanes(struct shape *s)
{
    uint32_t groups = s->x.groups * s->y.groups * s->node->heads;
    struct coop_tile t = {1, 1, groups >= 2048 ? 1 : groups >= 512 ? 2 : div_up(s->rows, 2), 0};
    if (groups >= 1024) {
        t.gx = s->x.size > s->y.size ? 1 : 2;
        t.gy = 4 / t.gx;
    }
    uint32_t own = div_up(s->rows, t.split);
    t.batch = div_up(own, div_up(own, 5));
    s->tile = t;
    return tile_fits(s, &t, lanes_octs(s, &t));
}

/*
 * Whether the matrices' zeros and masked keys cost natten_coop.comp too much. Measured against natten.comp on a Hopper GPU, 12 heads of
 * 36 on 32x32: window 7 takes 19.8 us instead of 17.5, window 9 (4 heads) 12 instead of 18.8.
 */
static bool wasteful(const struct shape *s)
{
    return s->d4 > 8 && s->d4 % 4 && s->node->window < 9;
}

static bool lanes_fit(const struct shape *s)
{
    return s->caps->subgroup_shuffle && s->d4 <= 16 && gpu_shader_find("natten_lanes.f16") && gpu_deal_in_pairs(s->caps);
}

/* Everything but the parameters; false where matrices cannot do it, or not well. */
static bool plan(struct lower *l, const struct node *node, struct shape *s)
{
    const struct gpu_caps *caps = lower_caps(l);
    if (!lower_target(l)->matrices || node->window > 13)
        return false;
    if (KEYS % caps->coop.m || KEYS % caps->coop.n || KEYS % caps->coop.k)
        return false;
    *s = shape_of(caps, node);
    s->lanes = lanes_fit(s) && choose_lanes(s);
    return (s->lanes || (!wasteful(s) && choose_coop(s))) && max_u32(s->x.groups, s->y.groups) <= 65535;
}

bool op_natten_coop_fits(struct lower *l, const struct node *node)
{
    struct shape s;
    return plan(l, node, &s);
}

/* The first key of a pixel's window and the pixel itself, counted from the first key of its group; beyond the map is the last pixel. */
struct place {
    uint32_t first, own;
};

static struct place place_of(const struct axis *a, uint32_t group, uint32_t i)
{
    uint32_t start = window_start(group * a->size, a->n, a->window), at = min_u32(group * a->size + i, a->n - 1);
    return (struct place){window_start(at, a->n, a->window) - start, at - start};
}

/* Where a matrix has an element: row by row, or [row / 8][invocation][its elements]. */
static uint32_t element(const struct shape *s, uint32_t query, uint32_t key)
{
    return s->lanes ? (query * 4 + key % 8 / 2) * 4 + key / 8 * 2 + key % 2 : query * KEYS + key;
}

/* The matrices of a group's rows of keys: from a head's table (2w-1, 2w-1). */
static void fill(const struct shape *s, float *to, const float *bias, uint32_t gx, uint32_t gy)
{
    uint32_t m = s->caps->coop.m, window = s->node->window, side = 2 * window - 1;
    for (uint32_t row = 0; row < s->rows; row++, to += m * KEYS)
        for (uint32_t q = 0; q < m; q++) {
            struct place x = place_of(&s->x, gx, q % s->x.size), y = place_of(&s->y, gy, q / s->x.size);
            for (uint32_t key = 0; key < KEYS; key++) {
                bool seen = row - y.first < window && key - x.first < window;
                to[element(s, q, key)] = seen ? bias[(row + window - 1 - y.own) * side + key + window - 1 - x.own] : -1e30f;
            }
        }
}

static struct gpu_range upload_bias(struct lower *l, const struct shape *s)
{
    uint32_t side = 2 * s->node->window - 1, each = s->rows * s->caps->coop.m * KEYS;
    uint64_t shape[3] = {s->node->heads, side, side};
    size_t bytes = sizeof(float) * s->node->heads * s->x.kinds * s->y.kinds * each;
    const float *bias = lower_read(l, s->node->scope, NULL, 3, shape);
    float *table = bias ? lower_alloc(l, bytes) : NULL, *to = table;
    if (!table)
        return (struct gpu_range){0};
    for (uint32_t h = 0; h < s->node->heads; h++)
        for (uint32_t kx = 0; kx < s->x.kinds; kx++)
            for (uint32_t ky = 0; ky < s->y.kinds; ky++, to += each)
                fill(s, to, bias + (size_t)h * side * side, group_of(&s->x, kx), group_of(&s->y, ky));
    return lower_upload(l, table, bytes);
}

bool op_natten_coop_lower(struct lower *l, const struct node *node)
{
    struct net_memory in = lower_input(l, 0), out = lower_output(l);
    struct shape s;
    struct gpu_range bias = plan(l, node, &s) ? upload_bias(l, &s) : (struct gpu_range){0};
    if (!bias.size)
        return false;
    const struct natten_coop_push push = {
        .qkv_stride = in.stride4,
        .qkv_offset = in.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .height = node->h,
        .width = node->w,
        .quads = node->c / 4,
        .pad = out.pad4,
        .groups_x = s.x.groups,
        .groups_y = s.y.groups,
        .columns = s.x.kinds,
        .rows = s.y.kinds,
        .first_x = s.x.first,
        .last_x = s.x.last,
        .first_y = s.y.first,
        .last_y = s.y.last,
    };
    const struct coop_tile *t = &s.tile;
    const struct gpu_coop *coop = &s.caps->coop;
    bool octs = (in.offset4 | in.stride4 | push.quads | s.d4) % 2 == 0 && (!s.lanes || div_up(s.d4, 8) * 2 == div_up(s.d4, 4));
    double pixels = (double)node->h * node->w;
    struct lower_pass pass = {
        .shader = s.lanes ? "natten_lanes" : "natten_coop",
        .binding = {{in.range, GPU_READ}, {out.range, GPU_WRITE}, {bias, GPU_READ}},
        .n_bindings = 3,
        .spec = {t->gx * t->gy * t->split * s.caps->subgroup_size, s.d4, node->window, s.x.size, t->gx, t->gy, t->split, octs,
                 s.lanes ? t->batch : s.shared, coop->m, coop->n, coop->k},
        .n_spec = s.lanes ? 9 : 12,
        .subgroup_size = s.caps->subgroup_size,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(s.x.groups, t->gx), div_up(s.y.groups, t->gy), node->heads},
        .flops = 4.0 * pixels * node->c * node->window * node->window,
        .bytes = 4.0 * pixels * node->c * 2,
    };
    return lower_pass(l, &pass);
}
