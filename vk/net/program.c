/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a graph to a program: rewrites it, orders and plans it, has its nodes lowered, then allocates, uploads and creates the passes.
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- passes ------------------------------------------------------------------------------------ */

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
                             .groups = {desc.groups[0], desc.groups[1], desc.groups[2]}};
    out->scope = strdup(node->scope);
    const struct gpu_shader *found = gpu_shader_find(shader);
    out->shader = found ? found->name : "";
    out->matrices = found && gpu_shader_has_matrices(found);
    out->pass = gpu_pass_create(l->program->gpu, &desc, l->error);
    return out->scope && out->pass;
}

static bool note_pipelines(struct lower *l)
{
    struct gpu_pass_desc *descs = calloc(l->n_pending ? l->n_pending : 1, sizeof(*descs));
    char(*shader)[64] = calloc(l->n_pending ? l->n_pending : 1, sizeof(*shader));
    bool ok = descs && shader;
    for (size_t i = 0; ok && i < l->n_pending; i++)
        descs[i] = describe_pass(l, &l->pending[i], shader[i]);
    ok = ok ? gpu_pipelines_note(l->program->gpu, descs, (uint32_t)l->n_pending, l->error) : lower_out_of_memory(l);
    free(descs);
    free(shader);
    return ok;
}

/* Compiling takes seconds on some drivers: all pipelines at once, on all cores. */
static bool create_passes(struct lower *l)
{
    struct net_program *p = l->program;
    if (!note_pipelines(l) || !gpu_pipelines_prepare(p->gpu, l->error))
        return false;
    p->pass = calloc(l->n_pending ? l->n_pending : 1, sizeof(*p->pass));
    if (!p->pass)
        return lower_out_of_memory(l);
    for (; p->n_passes < l->n_pending;) {
        bool ok = create_pass(l, &l->pending[p->n_passes], &p->pass[p->n_passes]);
        p->n_passes++;
        if (!ok)
            return false;
    }
    return true;
}

/* ---- the program ------------------------------------------------------------------------------- */

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

/* The graph as its passes see it. */
static bool rewrite(struct lower *l, struct net *n, const struct net_program_params *params)
{
    struct net_program *p = l->program;
    p->pinned = calloc((size_t)n->count, sizeof(*p->pinned));
    if (!p->pinned)
        return lower_out_of_memory(l);
    if (!graph_pin(n, params->taps, params->n_taps, p->pinned, l->error))
        return false;
    if (!params->no_fuse)
        graph_fuse(n, p->pinned, &l->target);
    if (!params->no_fuse && !graph_mix(l, n, p->pinned))
        return l->failed ? false : lower_out_of_memory(l);
    if (!graph_order(n))
        return lower_out_of_memory(l);
    bool *pinned = realloc(p->pinned, (size_t)n->count * sizeof(*pinned)); /* mixing may have made more nodes than it spared */
    if (!pinned)
        return lower_out_of_memory(l);
    p->pinned = pinned;
    return graph_pin(n, params->taps, params->n_taps, pinned, l->error); /* where they are now */
}

/* Its passes and parameters, before there is any memory. */
static bool lower_graph(struct lower *l, struct net *n, const struct net_program_params *params)
{
    struct net_program *p = l->program;
    if (!rewrite(l, n, params))
        return false;
    p->input = n->input;
    p->output = n->output;
    uint64_t alignment = l->target.caps->offset_alignment;
    if (!plan_init(&p->plan, n, p->pinned, &l->target, alignment > 256 ? alignment : 256, l->error))
        return false;
    for (int32_t i = 0; i < n->count; i++)
        p->plan.memory[i].range.buffer = &p->arena;
    return lower_nodes(l);
}

static bool build(struct lower *l, struct net *n)
{
    struct net_program *p = l->program;
    p->weight_bytes = l->blob_size;
    if (!gpu_buffer_init(p->gpu, &p->arena, p->plan.arena ? p->plan.arena : 256, GPU_MEMORY_DEVICE, l->error) ||
        !gpu_buffer_init(p->gpu, &p->weights, l->blob_size ? l->blob_size : 256, GPU_MEMORY_DEVICE, l->error))
        return false;
    if (l->blob_size && !gpu_buffer_write(p->gpu, &p->weights, 0, l->blob, l->blob_size, l->error))
        return false;
    return create_passes(l) && (keep_names(p, n) || lower_out_of_memory(l));
}

/* with: what is made of the lowered graph. */
static struct net_program *lower_with(struct gpu *gpu, struct net *n, const struct net_program_params *params,
                                      bool (*with)(struct lower *l, struct net *n), struct segman_error *error)
{
    struct segman_error ignored;
    if (net_failed(n, error))
        return NULL;
    struct net_program *p = calloc(1, sizeof(*p));
    struct lower l = {
        .program = p, .net = n, .conv_variant = params->conv_variant, .tuning = params->tuning, .error = error ? error : &ignored};
    if (!p) {
        lower_out_of_memory(&l);
        return NULL;
    }
    p->gpu = gpu;
    const struct gpu_caps *caps = gpu_caps(gpu);
    l.target = (struct net_target){.caps = caps, .f16 = params->f16};
    l.target.matrices = params->f16 && caps->coop.m && !caps->cpu && gpu_shader_find("conv_coop.f16");
    bool ok = lower_graph(&l, n, params) && with(&l, n);
    lower_finish(&l);
    if (!ok) {
        net_program_destroy(p);
        return NULL;
    }
    return p;
}

struct net_program *net_program_create(struct gpu *gpu, struct net *n, const struct net_program_params *params, struct segman_error *error)
{
    return lower_with(gpu, n, params, build, error);
}

static bool only_note(struct lower *l, struct net *n)
{
    (void)n;
    return note_pipelines(l);
}

bool net_program_note(struct gpu *gpu, struct net *n, const struct net_program_params *params, struct segman_error *error)
{
    struct net_program *p = lower_with(gpu, n, params, only_note, error);
    net_program_destroy(p);
    return p != NULL;
}

static bool copy_passes(struct net_program *p, struct segman_error *error)
{
    const struct net_program *from = p->original;
    p->pass = calloc(from->n_passes ? from->n_passes : 1, sizeof(*p->pass));
    if (!p->pass)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    for (; p->n_passes < from->n_passes; p->n_passes++) {
        struct net_pass *pass = &p->pass[p->n_passes];
        *pass = from->pass[p->n_passes];
        pass->pass = gpu_pass_copy(p->gpu, pass->pass, &from->arena, &p->arena, error);
        if (!pass->pass)
            return false;
    }
    return true;
}

struct net_program *net_program_copy(const struct net_program *program, struct segman_error *error)
{
    struct net_program *p = calloc(1, sizeof(*p));
    if (!p) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    p->gpu = program->gpu;
    p->original = program;
    if (gpu_buffer_init(p->gpu, &p->arena, program->arena.size, GPU_MEMORY_DEVICE, error) && copy_passes(p, error))
        return p;
    net_program_destroy(p);
    return NULL;
}

static void destroy_own(struct net_program *p)
{
    for (size_t i = 0; i < p->n_passes; i++)
        free((char *)p->pass[i].scope);
    for (size_t i = 0; i < p->n_names; i++)
        free(p->name[i].name);
    gpu_buffer_finish(p->gpu, &p->weights);
    plan_finish(&p->plan);
    free(p->name);
    free(p->pinned);
}

void net_program_destroy(struct net_program *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_passes; i++)
        gpu_pass_destroy(p->gpu, p->pass[i].pass);
    gpu_buffer_finish(p->gpu, &p->arena);
    if (!p->original)
        destroy_own(p);
    free(p->pass);
    free(p);
}

static const struct net_program *original(const struct net_program *p)
{
    return p->original ? p->original : p;
}

static struct net_memory memory_of(const struct net_program *p, int32_t id)
{
    struct net_memory m = original(p)->plan.memory[id];
    m.range.buffer = &p->arena;
    return m;
}

struct net_memory net_program_input(const struct net_program *p)
{
    return memory_of(p, original(p)->input);
}

struct net_memory net_program_output(const struct net_program *p)
{
    return memory_of(p, original(p)->output);
}

bool net_program_tap(const struct net_program *p, const char *name, struct net_memory *memory)
{
    const struct net_program *from = original(p);
    for (size_t i = from->n_names; i-- > 0;)
        if (!strcmp(from->name[i].name, name)) {
            *memory = memory_of(p, from->name[i].id);
            return from->pinned[from->name[i].id];
        }
    return false;
}

size_t net_program_passes(const struct net_program *p, const struct net_pass **passes)
{
    *passes = p->pass;
    return p->n_passes;
}
