/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked about a program: a tensor's values, its memory, its plan. */
#include "program.h"
#include "../half.h"

#include <stdlib.h>
#include <string.h>

static void to_planar(const struct net_memory *m, const void *data, float *out)
{
    const uint16_t *half = data;
    const float *single = data;
    size_t pixels = (size_t)m->h * m->w;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t c = 0; c < m->c; c++) {
            size_t i = 4 * (p * m->stride4 + m->offset4) + c;
            out[c * pixels + p] = m->f16 ? half_to_float(half[i]) : single[i];
        }
}

float *net_memory_read(struct gpu *gpu, const struct net_memory *m, struct segman_error *error)
{
    void *raw = malloc(m->range.size);
    float *out = malloc((size_t)m->c * m->h * m->w * sizeof(*out));
    bool ok = raw && out;
    if (!ok)
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    ok = ok && gpu_buffer_read(gpu, m->range.buffer, m->range.offset, raw, m->range.size, error);
    if (ok)
        to_planar(m, raw, out);
    free(raw);
    if (ok)
        return out;
    free(out);
    return NULL;
}

void net_program_memory(const struct net_program *p, struct segman_memory_info *info)
{
    info->arena = p->plan.arena;
    info->arena_naive = p->plan.naive;
    info->weights = p->weight_bytes;
}

static int by_first(const void *a, const void *b)
{
    const struct plan_item *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

void net_program_print_plan(const struct net_program *p, FILE *out)
{
    struct plan_item *item = malloc((p->plan.count + 1) * sizeof(*item));
    if (!item)
        return;
    memcpy(item, p->plan.item, p->plan.count * sizeof(*item));
    qsort(item, p->plan.count, sizeof(*item), by_first);
    fprintf(out, "%12s %12s  %-11s %-16s %s\n", "offset", "bytes", "alive", "shape", "tensor");
    for (size_t i = 0; i < p->plan.count; i++) {
        const struct net_memory *m = &p->plan.memory[item[i].id];
        const char *name = "";
        char shape[48];
        for (size_t k = 0; k < p->n_names && !*name; k++)
            if (p->name[k].id == item[i].id)
                name = p->name[k].name;
        snprintf(shape, sizeof(shape), "%ux%ux%u", m->c, m->h, m->w);
        fprintf(out, "%12llu %12llu  %4u..%-5u %-16s %s%s\n", (unsigned long long)item[i].offset, (unsigned long long)item[i].size,
                item[i].first, item[i].last, item[i].scratch ? "scratch" : shape, name, p->pinned[item[i].id] ? " (kept)" : "");
    }
    free(item);
}
