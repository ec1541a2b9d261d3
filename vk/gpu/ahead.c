/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU drivers translate a pipeline to machine code when it first runs, on one core, and keep the code on disk (Mesa's shader cache).
 * So that all cores do it, helpers run each new pipeline over no workgroups: devices of the same driver, each with its queue, on a
 * thread of its own. What they leave on disk is there for the real device. Which pipelines that was done for is kept in a file of
 * hashes beside the pipeline cache; without a folder for it nothing is done. Where the driver keeps nothing on disk the first start is
 * the longer for it, once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define MAX_THREADS 16
#define ROOM        256              /* bytes of the buffer that stands for all others */
#define PATIENCE_NS 3600000000000ull /* a pipeline takes seconds */

struct ahead {
    const struct gpu *gpu;
    const struct gpu_pass_desc **desc; /* the new ones */
    uint64_t *key;                     /* of each: 0 once it has failed */
    uint32_t count, next;              /* next: atomic */
};

/* ---- what was done before ------------------------------------------------------------------------ */

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const unsigned char *)data)[i]) * 0x100000001b3;
    return h;
}

/* With the driver's version: the file's name may not have it (Mesa 22.3), and its code is another one's. */
static uint64_t key_of(const struct gpu *gpu, const struct gpu_pass_desc *d)
{
    const struct gpu_shader *shader = gpu_shader_find(d->shader);
    uint64_t h = hash(0xcbf29ce484222325, gpu->info.driver, strlen(gpu->info.driver));
    h = hash(h, shader->code, shader->size);
    h = hash(h, d->spec, d->n_spec * sizeof(*d->spec));
    return hash(h, &d->n_bindings, sizeof(d->n_bindings)) | 1;
}

static bool is_known(const struct gpu *gpu, uint64_t key)
{
    for (size_t i = 0; i < gpu->n_ahead; i++)
        if (gpu->ahead[i] == key)
            return true;
    return false;
}

static void remember(struct gpu *gpu, const struct ahead *a)
{
    uint64_t *all = realloc(gpu->ahead, (gpu->n_ahead + a->count) * sizeof(*all));
    if (!all)
        return;
    gpu->ahead = all;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->key[i])
            all[gpu->n_ahead++] = a->key[i];
    if (!gpu_file_write(gpu->ahead_path, all, gpu->n_ahead * sizeof(*all)))
        gpu_log(gpu, SEGMAN_LOG_INFO, "What was compiled could not be noted in %s", gpu->ahead_path);
}

/* ---- the helpers --------------------------------------------------------------------------------- */

static void say_nothing(void *user, enum segman_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
}

static struct gpu *open_helper(const struct gpu *gpu)
{
    char uuid[2 * sizeof(gpu->info.uuid) + 1];
    for (size_t i = 0; i < sizeof(gpu->info.uuid); i++)
        snprintf(uuid + 2 * i, 3, "%02x", gpu->info.uuid[i]);
    return gpu_create(&(struct segman_context_params){.device = uuid, .log = say_nothing}, NULL);
}

/* Runs it over as many workgroups as the buffer says: none. */
static bool run_empty(struct gpu *helper, const struct gpu_pass_desc *desc, const struct gpu_buffer *buffer)
{
    uint32_t own[ROOM / sizeof(uint32_t)];
    struct gpu_pass_desc d = {.shader = desc->shader,
                              .n_bindings = desc->n_bindings,
                              .n_spec = desc->n_spec,
                              .subgroup_size = desc->subgroup_size,
                              .groups = {1, 1, 1}};
    memcpy(d.spec, desc->spec, sizeof(d.spec));
    for (uint32_t i = 0; i < d.n_bindings; i++) {
        d.binding[i].range = (struct gpu_range){buffer, 0, ROOM};
        d.binding[i].access = GPU_READ;
    }
    struct gpu_pass *pass = gpu_pass_create(helper, &d, NULL);
    struct gpu_commands *c = gpu_commands_create(helper, 0, NULL);
    bool ok = pass && c && gpu_commands_begin(c, NULL);
    if (ok) {
        gpu_commands_indirect(c, buffer, own);
        gpu_commands_pass(c, pass);
    }
    ok = ok && gpu_commands_end(c, NULL) && gpu_commands_submit(c, NULL) && gpu_commands_wait(c, PATIENCE_NS, NULL);
    gpu_commands_destroy(c);
    gpu_pass_destroy(helper, pass);
    return ok;
}

/* The driver has written its files when the helper is gone. */
static void *help(void *user)
{
    static const uint32_t zeros[ROOM / sizeof(uint32_t)];
    struct ahead *a = user;
    struct gpu_buffer buffer = {0};
    struct gpu *helper = open_helper(a->gpu);
    bool ready = helper && gpu_buffer_init(helper, &buffer, ROOM, GPU_MEMORY_DEVICE, NULL) &&
                 gpu_buffer_write(helper, &buffer, 0, zeros, ROOM, NULL);
    for (uint32_t i; ready && (i = __atomic_fetch_add(&a->next, 1, __ATOMIC_RELAXED)) < a->count;)
        if (!run_empty(helper, a->desc[i], &buffer))
            a->key[i] = 0;
    if (helper)
        gpu_buffer_finish(helper, &buffer);
    gpu_destroy(helper);
    return NULL;
}

static void run_helpers(struct ahead *a)
{
    pthread_t thread[MAX_THREADS];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n = 0;
    while (n < MAX_THREADS && n < a->count && (long)n < cores && !pthread_create(&thread[n], NULL, help, a))
        n++;
    gpu_log(a->gpu, SEGMAN_LOG_DEBUG, "compiling %u shaders for the first time, on %u cores", a->count, n);
    while (n > 0)
        pthread_join(thread[--n], NULL);
    for (uint32_t i = a->next; i < a->count; i++) /* nobody took it */
        a->key[i] = 0;
}

void gpu_compile_ahead(struct gpu *gpu, const struct gpu_pass_desc *descs, uint32_t count)
{
    struct ahead a = {.gpu = gpu, .desc = calloc(count + 1, sizeof(*a.desc)), .key = calloc(count + 1, sizeof(*a.key))};
    for (uint32_t i = 0; a.desc && a.key && gpu->ahead_path && i < count; i++) {
        uint64_t key = key_of(gpu, &descs[i]);
        if (is_known(gpu, key))
            continue;
        a.desc[a.count] = &descs[i];
        a.key[a.count++] = key;
    }
    if (a.count > 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1) { /* one is as soon done where it is needed */
        run_helpers(&a);
        remember(gpu, &a);
    }
    free(a.desc);
    free(a.key);
}
