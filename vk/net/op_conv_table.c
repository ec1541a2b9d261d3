/* SPDX-License-Identifier: Apache-2.0 */
/* The variants of a dense convolution: one table of shaders and tiles, estimates of their time, and the choice. */
#include "op_conv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct conv_variant variants[] = {
    {"conv", CONV_PORTABLE, 1.00, 128, 8, 8, 2, 4}, /* 128 x 64 */
    {"conv", CONV_PORTABLE, 0.95, 64, 4, 8, 3, 4},  /* 128 x 48 */
    {"conv", CONV_PORTABLE, 0.80, 128, 8, 4, 2, 4}, /* 64 x 64 */
    {"conv", CONV_PORTABLE, 0.60, 64, 4, 8, 1, 4},  /* 128 x 16 */
    {"conv", CONV_PORTABLE, 0.55, 64, 8, 4, 1, 8},  /* 32 x 32 */
    {"conv", CONV_PORTABLE, 0.40, 64, 8, 2, 1, 8},  /* 16 x 32 */
    {"conv", CONV_PORTABLE, 0.25, 64, 4, 1, 1, 8},  /* 16 x 16 */
    /* One subgroup, its lanes along the pixels; wg is the subgroup's size. */
    {"conv_cpu", CONV_CPU, 1.00, 8, 1, 8, 4, 1}, /* 64 x 16 */
    {"conv_cpu", CONV_CPU, 0.55, 8, 1, 2, 4, 1}, /* 16 x 16 */
    /* Sizes for matrices of 16 x 16 x 16. */
    {"conv_coop", CONV_MATRIX, .groups = {2, 2, 1}, .frags = {2, 3, 4}}, /* 64 x 96, k 64 */
    {"conv_coop", CONV_MATRIX, .groups = {2, 2, 1}, .frags = {2, 2, 2}}, /* 64 x 64, k 32 */
    {"conv_coop", CONV_MATRIX, .groups = {2, 2, 1}, .frags = {2, 2, 4}}, /* 64 x 64, k 64 */
    {"conv_coop", CONV_MATRIX, .groups = {2, 2, 2}, .frags = {2, 2, 4}}, /* 64 x 64, k 128 */
    {"conv_coop", CONV_MATRIX, .groups = {4, 1, 1}, .frags = {1, 2, 4}}, /* 64 x 32, k 64 */
    {"conv_coop", CONV_MATRIX, .groups = {2, 1, 4}, .frags = {2, 2, 2}}, /* 64 x 32, k 128 */
    {"conv_coop", CONV_MATRIX, .groups = {4, 1, 1}, .frags = {2, 1, 4}}, /* 128 x 16, k 64 */
    {"conv_coop", CONV_MATRIX, .groups = {1, 1, 4}, .frags = {1, 2, 2}}, /* 16 x 32, k 128 */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 1}, .frags = {1, 2, 1}}, /* 64 x 32, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {2, 1, 1}, .frags = {1, 2, 1}}, /* 32 x 32, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 1}, .frags = {2, 2, 1}}, /* 128 x 32, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 1}, .frags = {1, 4, 1}}, /* 64 x 64, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 2}, .frags = {1, 2, 1}}, /* 64 x 32, k in 2, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {2, 1, 4}, .frags = {1, 2, 1}}, /* 32 x 32, k in 4, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {2, 1, 4}, .frags = {2, 4, 1}}, /* 64 x 64, k in 4, a step ahead */
    {"conv_lanes", CONV_LANES, .groups = {2, 2, 1}, .frags = {2, 2}},    /* 64 x 64 */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 1}, .frags = {1, 2}},    /* 64 x 32 */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 2}, .frags = {1, 2}},    /* 64 x 32, k in 2 */
    {"conv_lanes", CONV_LANES, .groups = {2, 1, 4}, .frags = {1, 2}},    /* 32 x 32, k in 4 */
    {"conv_lanes", CONV_LANES, .groups = {1, 1, 8}, .frags = {1, 2}},    /* 16 x 32, k in 8 */
    {"conv_lanes", CONV_LANES, .groups = {4, 1, 1}, .frags = {2, 1}},    /* 128 x 16 */
    {"conv_lanes", CONV_LANES, .groups = {2, 1, 4}, .frags = {1, 1}},    /* 32 x 16, k in 4 */
};
#define N_VARIANTS (sizeof(variants) / sizeof(variants[0]))
_Static_assert(N_VARIANTS <= 32, "struct net_job has a bit a row");

bool op_conv_on_matrices(const struct conv_variant *v)
{
    return v->kind == CONV_MATRIX || v->kind == CONV_LANES;
}

uint32_t op_conv_piece(const struct conv_variant *v, const struct gpu_caps *caps)
{
    return v->frags[1] * 16 / caps->coop.deal.row_lanes % 8 == 0 ? 8 : 4;
}

static struct conv_tile lanes_tile(const struct conv_variant *v, const struct gpu_caps *caps)
{
    uint32_t subgroups = v->groups[0] * v->groups[1] * v->groups[2], sums = v->frags[0] * v->frags[1] * 16 * 4;
    return (struct conv_tile){.wg = subgroups * caps->subgroup_size,
                              .m = 16 * v->groups[0] * v->frags[0],
                              .nq = 4 * v->groups[1] * v->frags[1],
                              .kq = 2 * caps->coop.deal.row_lanes,
                              .shared = subgroups * sums};
}

struct conv_tile op_conv_tile(const struct conv_variant *v, const struct gpu_caps *caps)
{
    if (v->kind == CONV_LANES)
        return lanes_tile(v, caps);
    if (v->kind != CONV_MATRIX)
        return (struct conv_tile){.wg = v->wg, .m = v->wg / v->lx * v->tm, .nq = v->lx * v->tn, .kq = v->bk};
    uint32_t subgroups = v->groups[0] * v->groups[1] * v->groups[2], n = v->frags[1] * caps->coop.n,
             m = v->groups[0] * v->frags[0] * caps->coop.m, k = v->groups[2] * v->frags[2] * caps->coop.k;
    uint32_t staged = m * (k / 8 + 1) + k * (v->groups[1] * n / 8 + 1), sums = subgroups * caps->coop.m * (n / 4 + 1);
    return (struct conv_tile){
        .wg = subgroups * caps->subgroup_size, .m = m, .nq = v->groups[1] * n / 4, .kq = k / 4, .shared = max_u32(staged, sums)};
}

static bool device_has(const struct conv_variant *v, const struct gpu_caps *caps)
{
    if (!op_conv_on_matrices(v))
        return (v->kind == CONV_CPU) == (op_cpu_lanes(caps) != 0);
    if (!caps->coop.m || !gpu_shader_find("conv_coop.f16"))
        return false;
    if (v->kind == CONV_LANES && (!caps->coop.deal.row_lanes || v->frags[1] * 16 % (4 * caps->coop.deal.row_lanes)))
        return false;
    struct conv_tile t = op_conv_tile(v, caps);
    return t.wg <= caps->max_invocations && (v->kind == CONV_LANES || t.wg % (t.kq / 2) == 0) && t.shared * 16 <= caps->shared_memory;
}

/* Whether octs (8 channels) of it are aligned, and nothing but zeros lies behind its last channel. */
static bool in_octs(const struct net_memory *x)
{
    return x->offset4 % 2 == 0 && x->stride4 % 2 == 0 && (x->c % 8 == 0 || lower_quads(x) % 2 == 0);
}

/* An invocation that finishes octs also reads the residual so, whose last channels may have others behind them. */
static bool finishes(const struct conv_variant *v, const struct conv_job *j)
{
    return v->kind != CONV_LANES || op_conv_piece(v, j->caps) == 4 ||
           (in_octs(j->y) && (!j->r || (in_octs(j->r) && div_up(j->r->c, 4) % 2 == 0)));
}

static bool fits(const struct conv_variant *v, const struct conv_job *j)
{
    if (!device_has(v, j->caps) || div_up(j->m, op_conv_tile(v, j->caps).m) > 65535)
        return false;
    return !op_conv_on_matrices(v) || (j->f16 && in_octs(j->x) && finishes(v, j));
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

static double cost_simt(const struct conv_variant *v, const struct conv_job *j)
{
    struct conv_tile t = op_conv_tile(v, j->caps);
    double groups = (double)div_up(j->m, t.m) * div_up(j->nq, t.nq), full = v->kind == CONV_CPU ? FULL_CPU : FULL_GPU;
    return fmax(groups, full) * t.m * t.nq / v->speed;
}

/*
 * Nanoseconds on a Hopper GPU, fitted to what the rows took for the network's shapes (docs/performance.md), of the time with the code
 * not in the cache two fifths. A workgroup waits once, for a convolution's taps, and for each tile of k; those that a
 * multiprocessor runs one after the other share its bandwidth and its matrix units.
 */
static double cost_matrix(const struct conv_variant *v, const struct conv_job *j)
{
    static const double processors = 132, shared = 230000, registers = 65536;             /* of one: bytes, words */
    static const double code = 2840, kernel = 747, start = 1670, split = 172, tile = 257; /* waiting */
    static const double group = 2.7, bytes = 79.6, flops = 3130, stored = 9.8;            /* work: a group, then units a nanosecond */
    struct conv_tile t = op_conv_tile(v, j->caps);
    double n = 4.0 * t.nq, k = 4.0 * t.kq, steps = div_up(j->kq, t.kq);
    double held = 30 + 8.0 * v->frags[0] * v->frags[1] + 4.0 * (t.m + n) * k / 8 / t.wg + 4.0 * (v->frags[0] + 1);
    double resident = fmax(1, fmin(floor(shared / (16 * t.shared)), floor(registers / (held * t.wg))));
    double each = ceil(div_up(j->m, t.m) * div_up(j->nq, t.nq) / processors);
    double wait = ceil(each / resident) * (start + (v->groups[2] > 1 ? split : 0) + steps * tile);
    double work = each * (group + (t.m + n) * k * 2 * steps / bytes + 2 * t.m * n * k * steps / flops + 2 * t.m * n / stored);
    return code + (j->linear ? 0 : kernel) + hypot(wait, work);
}

/*
 * The same for matrices dealt out by hand: subgroups load what they multiply by themselves, and their code grows with their matrices,
 * more so where a step is read ahead and hardly waited for. Sums of split k go through shared memory. Where others start with the
 * residual, less is read at once.
 */
static double cost_lanes(const struct conv_variant *v, const struct conv_job *j)
{
    static const double processors = 132, registers = 65536;
    static const double start = 3980, kernel = 87, residual = 1.2; /* waiting: once, for taps; a step's share */
    static const double code[] = {236, 899}, step[] = {361, 131};  /* of a matrix, of a step; the same with one ahead */
    static const double group = 3.1, bytes = 2070, flops = 2950, stored = 12.5;
    struct conv_tile t = op_conv_tile(v, j->caps);
    double n = 4.0 * t.nq, k = 4.0 * t.kq, steps = div_up(j->kq, t.kq), f0 = v->frags[0], f1 = v->frags[1], split = v->groups[2];
    uint32_t ahead = v->frags[2];
    double resident = fmin(32, fmax(1, floor(registers / ((40 + 8 * f0 * f1 + 8 * (f0 + f1) * (1 + ahead)) * t.wg))));
    double each = ceil(div_up(j->m, t.m) * div_up(j->nq, t.nq) / processors);
    double one = step[ahead] * (j->r && v->groups[2] == 1 ? residual : 1);
    double wait = start + code[ahead] * f0 * f1 + (j->linear ? 0 : kernel) + ceil(each / resident) * ceil(steps / split) * one;
    double work = each * (group + v->groups[0] * v->groups[1] * steps * (f0 + f1) * k * 32 / bytes + 2 * t.m * n * k * steps / flops +
                          split * 2 * t.m * n / stored);
    return hypot(wait, work);
}

static double cost_on_matrices(const struct conv_variant *v, const struct conv_job *j)
{
    return v->kind == CONV_LANES ? cost_lanes(v, j) : cost_matrix(v, j);
}

/* Rows that may compute the job, as bits: matrices are not where a CPU computes them. */
static uint32_t rows_for(const struct conv_job *j)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < N_VARIANTS; i++)
        if (fits(&variants[i], j) && !(op_conv_on_matrices(&variants[i]) && j->caps->cpu))
            rows |= 1u << i;
    return rows;
}

/* The cheapest of the rows by estimate, on matrices where one of them is. */
static const struct conv_variant *choose(const struct conv_job *j, uint32_t rows)
{
    const struct conv_variant *best = NULL, *matrix = NULL;
    for (uint32_t i = 0; i < N_VARIANTS; i++) {
        const struct conv_variant *v = &variants[i];
        if (!(rows >> i & 1))
            continue;
        if (op_conv_on_matrices(v) && (!matrix || cost_on_matrices(v, j) < cost_on_matrices(matrix, j)))
            matrix = v;
        if (!op_conv_on_matrices(v) && (!best || cost_simt(v, j) < cost_simt(best, j)))
            best = v;
    }
    return matrix ? matrix : best;
}

void op_conv_row_name(uint32_t row, char name[OP_CONV_ROW_NAME])
{
    const struct conv_variant *v = &variants[row - 1];
    if (op_conv_on_matrices(v))
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

const struct conv_variant *op_conv_pick(struct lower *l, const struct node *node, const struct conv_job *j)
{
    uint32_t forced = lower_conv_variant(l);
    if (forced && forced <= N_VARIANTS && fits(&variants[forced - 1], j))
        return &variants[forced - 1];
    uint32_t rows = rows_for(j), tuned = lower_tuned_row(l, &(struct net_job){.c = j->x->c,
                                                                              .h = j->x->h,
                                                                              .w = j->x->w,
                                                                              .out = node->c,
                                                                              .kernel = node->kernel,
                                                                              .stride = node->stride,
                                                                              .pad = node->pad,
                                                                              .f16 = j->f16,
                                                                              .rows = rows});
    return tuned ? &variants[tuned - 1] : choose(j, rows);
}
