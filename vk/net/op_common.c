/* SPDX-License-Identifier: Apache-2.0 */
#include "op_common.h"
#include "../half.h"

#include <math.h>
#include <string.h>

#define BATCH_NORM_EPS 1e-5

bool op_fold_norm(struct lower *l, const char *scope, uint32_t c, double *mul, double *add)
{
    const uint64_t shape[] = {c};
    const float *weight = lower_read(l, scope, "weight", 1, shape), *bias = lower_read(l, scope, "bias", 1, shape);
    const float *mean = lower_read(l, scope, "running_mean", 1, shape), *var = lower_read(l, scope, "running_var", 1, shape);
    if (!weight || !bias || !mean || !var)
        return false;
    for (uint32_t i = 0; i < c; i++) {
        double g = weight[i] / sqrt((double)var[i] + BATCH_NORM_EPS);
        mul[i] *= g;
        add[i] = (add[i] - mean[i]) * g + bias[i];
    }
    return true;
}

/* Layer scale: weight (c,1,1,1), bias (c). */
static bool fold_scale(struct lower *l, const struct node *node, struct epilogue *e)
{
    const uint64_t c = node->c, weight_shape[] = {c, 1, 1, 1};
    float *weight = lower_read(l, node->scale, "weight", 4, weight_shape), *bias = lower_read(l, node->scale, "bias", 1, &c);
    if (!weight || !bias)
        return false;
    if (node->act != NET_ACT_NONE) {
        e->scale = weight;
        e->shift = bias;
        return true;
    }
    for (uint32_t i = 0; i < c; i++) {
        e->mul[i] *= weight[i];
        e->add[i] = e->add[i] * weight[i] + bias[i];
    }
    return true;
}

bool op_fold_epilogue(struct lower *l, const struct node *node, bool has_bias, struct epilogue *e)
{
    const uint64_t c = node->c;
    *e = (struct epilogue){.mul = lower_alloc(l, c * sizeof(double)), .add = lower_alloc(l, c * sizeof(double))};
    const float *bias = !has_bias ? NULL : node->made ? node->made + c * lower_input(l, 0).c : lower_read(l, node->scope, "bias", 1, &c);
    if (!e->mul || !e->add || (has_bias && !bias))
        return false;
    for (uint32_t i = 0; i < c; i++) {
        e->mul[i] = 1;
        e->add[i] = bias ? bias[i] : 0;
    }
    return (!node->norm || op_fold_norm(l, node->norm, node->c, e->mul, e->add)) && (!node->scale || fold_scale(l, node, e));
}

void op_store(void *blob, size_t i, double value, bool f16)
{
    if (f16)
        ((uint16_t *)blob)[i] = half_from_float((float)value);
    else
        ((float *)blob)[i] = (float)value;
}

#define NORM_WG 128 /* invocations, about */

/* An invocation for every quad; as many of a pixel's as may be in clusters that shuffle, but no more than an eighth of them idle. */
static struct op_lanes choose_clusters(const struct gpu_caps *caps, uint32_t nq)
{
    struct op_lanes s = {.quads = 1, .cluster = caps->subgroup_size};
    while (s.cluster > 4 && align_up(nq, s.cluster) * 8 > (uint64_t)nq * 9)
        s.cluster /= 2;
    s.lanes = (uint32_t)align_up(nq, s.cluster);
    uint32_t unit = s.lanes * (caps->subgroup_size / s.cluster); /* whole subgroups, whole pixels */
    s.wg = max_u32(NORM_WG / unit, 1) * unit;
    return s;
}

struct op_lanes op_choose_lanes(const struct gpu_caps *caps, uint32_t nq)
{
    if (!caps->cpu && caps->subgroup_shuffle && caps->whole_subgroups && caps->subgroup_size >= 4) {
        struct op_lanes s = choose_clusters(caps, nq);
        if (s.wg <= caps->max_invocations)
            return s;
    }
    struct op_lanes s = {.wg = caps->cpu ? 8 : NORM_WG, .lanes = 8, .cluster = 1};
    while (!caps->cpu && s.lanes < 32 && s.lanes * 2 < nq)
        s.lanes *= 2;
    s.quads = div_up(nq, s.lanes);
    return s;
}

void op_set_shader(struct lower_pass *pass, const char *shader, const uint32_t *spec, uint32_t n_spec, const uint32_t groups[3])
{
    pass->shader = shader;
    pass->n_spec = n_spec;
    memcpy(pass->spec, spec, n_spec * sizeof(*spec));
    memcpy(pass->groups, groups, sizeof(pass->groups));
}

uint32_t op_cpu_lanes(const struct gpu_caps *caps)
{
    return caps->cpu && caps->subgroup_shuffle && caps->subgroup_size == 8 ? 8 : 0;
}

void op_flat_groups(uint32_t total, uint32_t size, uint32_t groups[3])
{
    uint32_t n = div_up(total, size);
    groups[1] = div_up(n, 65535);
    groups[0] = div_up(n, groups[1]);
    groups[2] = 1;
}

double op_tensor_bytes(const struct net_memory *m)
{
    return (double)m->c * m->h * m->w * (m->f16 ? 2 : 4);
}
