/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lowering: runs every op's lowering and collects parameters and passes. Passes name the arena and the weights' buffer by pointer, so
 * they can be described before either exists.
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lower_out_of_memory(struct lower *l)
{
    l->failed = true;
    return segman_fail(l->error, SEGMAN_ERROR_MEMORY, "Out of memory");
}

/* ---- what ops see ------------------------------------------------------------------------------ */

static struct net_memory memory_of(const struct lower *l, int32_t id)
{
    return l->program->plan.memory[id];
}

struct net_memory lower_input(const struct lower *l, uint32_t i)
{
    return memory_of(l, l->node->in[i]);
}

struct net_memory lower_residual(const struct lower *l)
{
    return memory_of(l, l->node->residual);
}

struct net_memory lower_output(const struct lower *l)
{
    return memory_of(l, l->id);
}

struct net_memory lower_also(const struct lower *l)
{
    return memory_of(l, l->node->also);
}

struct gpu_range lower_scratch(const struct lower *l, uint64_t offset, uint64_t size)
{
    return (struct gpu_range){.buffer = &l->program->arena, .offset = l->program->plan.scratch[l->id] + offset, .size = size};
}

const struct net_target *lower_target(const struct lower *l)
{
    return &l->target;
}

const struct gpu_caps *lower_caps(const struct lower *l)
{
    return l->target.caps;
}

bool lower_f16(const struct lower *l)
{
    return l->target.f16;
}

uint32_t lower_conv_variant(const struct lower *l)
{
    return l->conv_variant;
}

uint32_t lower_tuned_row(const struct lower *l, const struct net_job *job)
{
    return net_tuning_row(l->tuning, job);
}

void *lower_alloc(struct lower *l, size_t bytes)
{
    if (l->failed)
        return NULL;
    if (l->n_temp == l->cap_temp) {
        size_t cap = l->cap_temp ? 2 * l->cap_temp : 32;
        void **p = realloc(l->temp, cap * sizeof(*p));
        if (!p) {
            lower_out_of_memory(l);
            return NULL;
        }
        l->temp = p;
        l->cap_temp = cap;
    }
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p) {
        lower_out_of_memory(l);
        return NULL;
    }
    return l->temp[l->n_temp++] = p;
}

float *lower_read(struct lower *l, const char *scope, const char *suffix, uint32_t rank, const uint64_t *shape)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= shape[i];
    float *out = lower_alloc(l, count * sizeof(*out));
    if (!out)
        return NULL;
    char name[1024];
    snprintf(name, sizeof(name), "%s%s%s", scope, suffix ? "." : "", suffix ? suffix : "");
    if (!l->net->weights.read(l->net->weights.user, name, rank, shape, out, l->error)) {
        l->failed = true;
        return NULL;
    }
    return out;
}

struct gpu_range lower_upload(struct lower *l, const void *data, size_t bytes)
{
    size_t offset = align_up(l->blob_size, 256), need = offset + bytes;
    if (l->failed || !data)
        return (struct gpu_range){.buffer = &l->program->weights};
    if (need > l->blob_cap) {
        size_t cap = need + need / 2 + 65536;
        char *p = realloc(l->blob, cap);
        if (!p) {
            lower_out_of_memory(l);
            return (struct gpu_range){.buffer = &l->program->weights};
        }
        l->blob = p;
        l->blob_cap = cap;
    }
    memset(l->blob + l->blob_size, 0, offset - l->blob_size);
    memcpy(l->blob + offset, data, bytes);
    l->blob_size = need;
    return (struct gpu_range){.buffer = &l->program->weights, .offset = offset, .size = bytes};
}

bool lower_pass(struct lower *l, const struct lower_pass *pass)
{
    if (l->failed)
        return false;
    if (l->n_pending == l->cap_pending) {
        size_t cap = l->cap_pending ? 2 * l->cap_pending : 256;
        struct pending *p = realloc(l->pending, cap * sizeof(*p));
        if (!p)
            return lower_out_of_memory(l);
        l->pending = p;
        l->cap_pending = cap;
    }
    uint32_t steps = max_u32(net_ops[l->node->op].steps, 1), later = l->n_of_node++;
    struct pending *p = &l->pending[l->n_pending];
    p->pass = *pass;
    p->node = l->id;
    p->step = l->node->step + (later < steps ? later : steps - 1);
    p->number = (uint32_t)l->n_pending++;
    if (pass->push_size)
        memcpy(p->push, pass->push, pass->push_size);
    return true;
}

/* ---- all nodes --------------------------------------------------------------------------------- */

static int by_step(const void *a, const void *b)
{
    const struct pending *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static void free_temp(struct lower *l)
{
    for (size_t i = 0; i < l->n_temp; i++)
        free(l->temp[i]);
    l->n_temp = 0;
}

bool lower_nodes(struct lower *l)
{
    for (l->id = 1; l->id < l->net->count; l->id++) {
        l->node = &l->net->node[l->id];
        l->n_of_node = 0;
        if (net_ops[l->node->op].lower && (!net_ops[l->node->op].lower(l, l->node) || l->failed)) {
            if (!l->failed)
                segman_fail(l->error, SEGMAN_ERROR_UNSUPPORTED, "%s: this device cannot run %s at this size; a smaller one may do",
                            l->node->scope, net_ops[l->node->op].name);
            return false;
        }
        free_temp(l);
    }
    qsort(l->pending, l->n_pending, sizeof(*l->pending), by_step);
    return touch_weights(l);
}

void lower_finish(struct lower *l)
{
    free_temp(l);
    free(l->temp);
    free(l->blob);
    free(l->pending);
}
