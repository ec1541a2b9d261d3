/* SPDX-License-Identifier: Apache-2.0 */
/* How a device deals out the elements of a cooperative matrix to a subgroup (shaders/deal.comp): measured once, then put in order. */
#include <string.h>

#include "internal.h"

#define SIDE     16
#define ELEMENTS (SIDE * SIDE)

/* Which elements the invocations hold, as numbers in the matrix: [A, B, sums][invocation][its elements]. */
struct told {
    uint32_t of[3][ELEMENTS];
};

static bool run(struct gpu *gpu, struct gpu_pass *pass, struct segman_error *error)
{
    struct gpu_commands *c = gpu_commands_create(gpu, 0, error);
    bool ok = c && gpu_commands_begin(c, error);
    if (ok)
        gpu_commands_pass(c, pass);
    ok = ok && gpu_commands_end(c, error) && gpu_commands_submit(c, error) && gpu_commands_wait(c, UINT64_MAX, error);
    gpu_commands_destroy(c);
    return ok;
}

static bool ask(struct gpu *gpu, struct told *told)
{
    struct segman_error error;
    struct gpu_buffer buffer = {0};
    if (!gpu_buffer_init(gpu, &buffer, sizeof(*told), GPU_MEMORY_DEVICE, &error))
        return false;
    const struct gpu_pass_desc desc = {.shader = "deal",
                                       .label = "deal",
                                       .binding = {{{&buffer, 0, sizeof(*told)}, GPU_WRITE}},
                                       .n_bindings = 1,
                                       .spec = {gpu->caps.subgroup_size},
                                       .n_spec = 1,
                                       .subgroup_size = gpu->caps.subgroup_size,
                                       .groups = {1, 1, 1}};
    struct gpu_pass *pass = gpu_pass_create(gpu, &desc, &error);
    bool ok = pass && run(gpu, pass, &error) && gpu_buffer_read(gpu, &buffer, 0, told, sizeof(*told), &error);
    if (pass)
        gpu_pass_destroy(gpu, pass);
    gpu_buffer_finish(gpu, &buffer);
    return ok;
}

/* Where an invocation keeps element e of row r: the same for all; found in the first one's elements. */
static bool find_order(const uint32_t *first, uint32_t length, struct gpu_deal *d)
{
    uint32_t e = SIDE / d->row_lanes, rows = length / e, at[ELEMENTS] = {0}, seen[SIDE] = {0};
    for (uint32_t i = 0; i < length; i++) {
        uint32_t r = first[i] / SIDE * rows / SIDE;
        if (seen[r] == e)
            return false;
        at[r * e + seen[r]++] = i;
    }
    d->step = at[1] - at[0];
    d->row_step = rows > 1 ? at[e] : 0;
    for (d->run = 1; d->run < rows && at[d->run * e] == d->run * d->row_step; d->run++)
        ;
    d->run_step = d->run < rows ? at[d->run * e] : 0;
    for (uint32_t i = 0; i < rows * e; i++)
        if (at[i] != i % e * d->step + i / e % d->run * d->row_step + i / e / d->run * d->run_step)
            return false;
    return true;
}

static uint32_t element(const struct gpu_deal *d, uint32_t r, uint32_t e)
{
    return e * d->step + r % d->run * d->row_step + r / d->run * d->run_step;
}

/* Whether all invocations follow the order of the first ones. */
static bool all_follow(const uint32_t *told, uint32_t lanes, struct gpu_deal *d)
{
    uint32_t length = ELEMENTS / lanes, e = SIDE / d->row_lanes, rows = length / e;
    for (uint32_t i = 0; i < SIDE; i++)
        d->column[i] = told[i / e * length + element(d, 0, i % e)] % SIDE;
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        uint32_t lane = i / length, r = i % length / e, c = lane % d->row_lanes * e + i % e;
        if (told[lane * length + element(d, r, i % e)] != (lane / d->row_lanes + r * (SIDE / rows)) * SIDE + d->column[c])
            return false;
    }
    return true;
}

/* False where an element is held by nobody, or by several. */
static bool invert(const uint32_t *told, uint8_t where[ELEMENTS])
{
    bool held[ELEMENTS] = {false};
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        if (told[i] >= ELEMENTS || held[told[i]])
            return false;
        held[told[i]] = true;
        where[told[i]] = (uint8_t)i;
    }
    return true;
}

static bool understand(const struct told *told, uint32_t lanes, struct gpu_deal *d)
{
    uint8_t where[ELEMENTS];
    uint32_t length = ELEMENTS / lanes;
    if (!invert(told->of[0], where) || !invert(told->of[1], d->b) || memcmp(told->of[0], told->of[2], sizeof(told->of[0])) != 0)
        return false;
    for (uint32_t lane = 0; lane < lanes; lane++)
        d->row_lanes += told->of[0][lane * length] / SIDE == told->of[0][0] / SIDE;
    uint32_t e = SIDE / d->row_lanes;
    if ((e != 2 && e != 4) || e * d->row_lanes != SIDE || length % e || length % 8)
        return false;
    return find_order(told->of[0], length, d) && all_follow(told->of[0], lanes, d);
}

struct gpu_deal gpu_deal_query(struct gpu *gpu)
{
    struct told told;
    struct gpu_deal d = {0};
    const struct gpu_coop *coop = &gpu->caps.coop;
    uint32_t lanes = gpu->caps.subgroup_size;
    if (coop->m != SIDE || coop->n != SIDE || coop->k != SIDE || lanes < 4 || ELEMENTS % lanes || !gpu_shader_find("deal"))
        return d;
    return ask(gpu, &told) && understand(&told, lanes, &d) ? d : (struct gpu_deal){0};
}

bool gpu_deal_in_pairs(const struct gpu_caps *caps)
{
    const struct gpu_deal *d = &caps->coop.deal;
    if (caps->subgroup_size != 32 || d->row_lanes != 4 || d->step != 1 || d->row_step != 4)
        return false;
    for (uint32_t column = 0; column < SIDE; column++) {
        uint32_t lane = column % 8 / 2, e = column / 8 * 2 + column % 2;
        if (d->column[4 * lane + e] != column)
            return false;
        for (uint32_t row = 0; row < SIDE; row++)
            if (d->b[column * SIDE + row] != (row % 8 * 4 + lane) * 8 + row / 8 * 4 + e)
                return false;
    }
    return true;
}
