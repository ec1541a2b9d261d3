/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lowering: runs every op's lowering, collects parameter blobs and passes, then allocates, uploads and creates the
 * passes. Passes name the arena and the weights' buffer by pointer, so they can be described before either exists.
 */
#include "graph.h"
#include "../half.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net_program {
    struct gpu *gpu;
    struct gpu_buffer arena, weights;
    struct plan plan;
    struct net_pass *pass;
    size_t n_passes;
    struct graph_name *name; /* names of kept tensors and of pass scopes */
    size_t n_names;
    bool *pinned;
    int32_t input, output, count;
    uint64_t weight_bytes;
};

/* A pass as described by its op, before its buffers exist. */
struct pending {
    struct lower_pass pass;
    char push[GPU_MAX_PUSH];
    int32_t node;
    uint32_t step, number; /* number: of all passes as the nodes made them */
};

struct lower {
    struct net_program *program;
    const struct net *net;
    const struct node *node;
    int32_t id;
    uint32_t n_of_node; /* passes that the node has made */
    struct net_target target;
    uint32_t conv_variant;
    struct net_tuning *tuning;
    struct segman_error *error;
    bool failed;
    void **temp; /* freed after each node */
    size_t n_temp, cap_temp;
    char *blob; /* all parameters */
    size_t blob_size, blob_cap;
    struct pending *pending;
    size_t n_pending, cap_pending;
};

static bool out_of_memory(struct lower *l)
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

bool lower_matrices(const struct lower *l)
{
    return l->target.matrices;
}

void *lower_alloc(struct lower *l, size_t bytes)
{
    if (l->failed)
        return NULL;
    if (l->n_temp == l->cap_temp) {
        size_t cap = l->cap_temp ? 2 * l->cap_temp : 32;
        void **p = realloc(l->temp, cap * sizeof(*p));
        if (!p) {
            out_of_memory(l);
            return NULL;
        }
        l->temp = p;
        l->cap_temp = cap;
    }
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p) {
        out_of_memory(l);
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
            out_of_memory(l);
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
            return out_of_memory(l);
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

/* ---- the program ------------------------------------------------------------------------------- */

static int by_step(const void *a, const void *b)
{
    const struct pending *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static bool lower_nodes(struct lower *l)
{
    for (l->id = 1; l->id < l->net->count; l->id++) {
        l->node = &l->net->node[l->id];
        l->n_of_node = 0;
        if (net_ops[l->node->op].lower && (!net_ops[l->node->op].lower(l, l->node) || l->failed)) {
            if (!l->failed)
                segman_fail(l->error, SEGMAN_ERROR_UNSUPPORTED, "%s: this device cannot run %s", l->node->scope, net_ops[l->node->op].name);
            return false;
        }
        for (size_t i = 0; i < l->n_temp; i++)
            free(l->temp[i]);
        l->n_temp = 0;
    }
    qsort(l->pending, l->n_pending, sizeof(*l->pending), by_step);
    return true;
}

/* shader: room for the variant's name, which the description points to. */
static struct gpu_pass_desc describe_pass(const struct lower *l, const struct pending *p, char shader[64])
{
    snprintf(shader, 64, "%s.%s", p->pass.shader, l->target.f16 ? "f16" : "f32");
    struct gpu_pass_desc desc = {.shader = shader,
                                 .n_bindings = p->pass.n_bindings,
                                 .n_spec = p->pass.n_spec,
                                 .subgroup_size = p->pass.subgroup_size,
                                 .push = p->push,
                                 .push_size = p->pass.push_size,
                                 .groups = {p->pass.groups[0], p->pass.groups[1], p->pass.groups[2]}};
    for (uint32_t i = 0; i < desc.n_bindings; i++) {
        desc.binding[i].range = p->pass.binding[i].range;
        desc.binding[i].access = p->pass.binding[i].access;
    }
    memcpy(desc.spec, p->pass.spec, sizeof(desc.spec));
    return desc;
}

static bool create_pass(struct lower *l, const struct pending *p, struct net_pass *out)
{
    const struct node *node = &l->net->node[p->node];
    char shader[64], label[640];
    struct gpu_pass_desc desc = describe_pass(l, p, shader);
    snprintf(label, sizeof(label), "%s (%s)", node->scope, net_ops[node->op].name);
    desc.label = label;
    *out = (struct net_pass){.op = net_ops[node->op].name,
                             .flops = p->pass.flops,
                             .bytes = p->pass.bytes,
                             .matrices = p->pass.matrices,
                             .groups = {desc.groups[0], desc.groups[1], desc.groups[2]}};
    out->scope = strdup(node->scope);
    const struct gpu_shader *found = gpu_shader_find(shader);
    out->shader = found ? found->name : "";
    out->pass = gpu_pass_create(l->program->gpu, &desc, l->error);
    return out->scope && out->pass;
}

/* Compiling takes seconds on some drivers: all pipelines at once, on all cores. */
static bool prepare_pipelines(struct lower *l)
{
    struct gpu_pass_desc *descs = calloc(l->n_pending ? l->n_pending : 1, sizeof(*descs));
    char(*shader)[64] = calloc(l->n_pending ? l->n_pending : 1, sizeof(*shader));
    bool ok = descs && shader;
    for (size_t i = 0; ok && i < l->n_pending; i++)
        descs[i] = describe_pass(l, &l->pending[i], shader[i]);
    ok = ok ? gpu_pipelines_prepare(l->program->gpu, descs, (uint32_t)l->n_pending, l->error) : out_of_memory(l);
    free(descs);
    free(shader);
    return ok;
}

static bool create_passes(struct lower *l)
{
    struct net_program *p = l->program;
    if (!prepare_pipelines(l))
        return false;
    p->pass = calloc(l->n_pending ? l->n_pending : 1, sizeof(*p->pass));
    if (!p->pass)
        return out_of_memory(l);
    for (; p->n_passes < l->n_pending;) {
        bool ok = create_pass(l, &l->pending[p->n_passes], &p->pass[p->n_passes]);
        p->n_passes++;
        if (!ok)
            return false;
    }
    return true;
}

static bool keep_names(struct net_program *p, const struct net *n)
{
    p->name = calloc(n->n_names ? n->n_names : 1, sizeof(*p->name));
    if (!p->name)
        return false;
    for (size_t i = 0; i < n->n_names; i++) {
        p->name[i] = (struct graph_name){.name = strdup(n->name[i].name), .id = n->name[i].id};
        p->n_names++;
        if (!p->name[i].name)
            return false;
    }
    return true;
}

static bool build(struct lower *l, struct net *n, const struct net_program_params *params)
{
    struct net_program *p = l->program;
    p->pinned = calloc((size_t)n->count, sizeof(*p->pinned));
    if (!p->pinned)
        return out_of_memory(l);
    if (!graph_pin(n, params->taps, params->n_taps, p->pinned, l->error))
        return false;
    if (!params->no_fuse)
        graph_fuse(n, p->pinned, l->target.matrices);
    if (!params->no_fuse && !graph_mix(l, n, p->pinned))
        return l->failed ? false : out_of_memory(l);
    if (!graph_order(n))
        return out_of_memory(l);
    if (!graph_pin(n, params->taps, params->n_taps, p->pinned, l->error)) /* where they are now */
        return false;
    p->input = n->input;
    p->output = n->output;
    p->count = n->count;
    uint64_t alignment = l->target.caps->offset_alignment;
    if (!plan_init(&p->plan, n, p->pinned, &l->target, alignment > 256 ? alignment : 256, l->error))
        return false;
    for (int32_t i = 0; i < n->count; i++)
        p->plan.memory[i].range.buffer = &p->arena;
    if (!lower_nodes(l))
        return false;
    p->weight_bytes = l->blob_size;
    if (!gpu_buffer_init(p->gpu, &p->arena, p->plan.arena ? p->plan.arena : 256, GPU_MEMORY_DEVICE, l->error) ||
        !gpu_buffer_init(p->gpu, &p->weights, l->blob_size ? l->blob_size : 256, GPU_MEMORY_DEVICE, l->error))
        return false;
    if (l->blob_size && !gpu_buffer_write(p->gpu, &p->weights, 0, l->blob, l->blob_size, l->error))
        return false;
    return create_passes(l) && (keep_names(p, n) || out_of_memory(l));
}

struct net_program *net_program_create(struct gpu *gpu, struct net *n, const struct net_program_params *params, struct segman_error *error)
{
    struct segman_error ignored;
    if (net_failed(n, error))
        return NULL;
    struct net_program *p = calloc(1, sizeof(*p));
    struct lower l = {
        .program = p, .net = n, .conv_variant = params->conv_variant, .tuning = params->tuning, .error = error ? error : &ignored};
    if (!p) {
        out_of_memory(&l);
        return NULL;
    }
    p->gpu = gpu;
    const struct gpu_caps *caps = gpu_caps(gpu);
    l.target = (struct net_target){.caps = caps, .f16 = params->f16};
    l.target.matrices = params->f16 && caps->coop.m && !caps->cpu && gpu_shader_find("conv_coop.f16");
    bool ok = build(&l, n, params);
    for (size_t i = 0; i < l.n_temp; i++)
        free(l.temp[i]);
    free(l.temp);
    free(l.blob);
    free(l.pending);
    if (!ok) {
        net_program_destroy(p);
        return NULL;
    }
    return p;
}

void net_program_destroy(struct net_program *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_passes; i++) {
        gpu_pass_destroy(p->gpu, p->pass[i].pass);
        free((char *)p->pass[i].scope);
    }
    for (size_t i = 0; i < p->n_names; i++)
        free(p->name[i].name);
    gpu_buffer_finish(p->gpu, &p->arena);
    gpu_buffer_finish(p->gpu, &p->weights);
    plan_finish(&p->plan);
    free(p->pass);
    free(p->name);
    free(p->pinned);
    free(p);
}

struct net_memory net_program_input(const struct net_program *p)
{
    return p->plan.memory[p->input];
}

struct net_memory net_program_output(const struct net_program *p)
{
    return p->plan.memory[p->output];
}

bool net_program_tap(const struct net_program *p, const char *name, struct net_memory *memory)
{
    for (size_t i = p->n_names; i-- > 0;)
        if (!strcmp(p->name[i].name, name)) {
            *memory = p->plan.memory[p->name[i].id];
            return p->pinned[p->name[i].id];
        }
    return false;
}

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

size_t net_program_passes(const struct net_program *p, const struct net_pass **passes)
{
    *passes = p->pass;
    return p->n_passes;
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
