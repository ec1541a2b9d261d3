/* SPDX-License-Identifier: Apache-2.0 */
/* What a device can do at most, measured: a large copy, multiply-adds in registers (shaders/peak*.comp), passes that do nothing. */
#include "../../shaders/iface.h"

#include "internal.h"

#define LEAST_MS    1.0 /* a run of arithmetic that counts takes this long */
#define MOST_ROUNDS 0x10000u
#define RUNS        4
#define PASSES      200
#define PATIENT_NS  60000000000ull
#define COPY_BYTES  (256ull << 20) /* more than caches hold */
#define WG          256u

/* A pass on one buffer, or from the first half of it to the second. */
struct work {
    const char *shader;
    bool copies;
    double amount; /* of a workgroup, in a round: operations, bytes */
    uint64_t bytes;
    uint32_t groups, subgroup_size;
    uint32_t spec[4], n_spec;
};

static uint32_t workgroup(const struct gpu *gpu)
{
    return WG < gpu->caps.max_invocations ? WG : gpu->caps.max_invocations;
}

static uint32_t full_device(const struct gpu *gpu)
{
    return gpu->caps.cpu ? 64 : 2048;
}

static struct work copy(const struct gpu *gpu)
{
    uint64_t most = gpu->info.total_memory / (gpu->caps.cpu ? 256 : 16), group = (uint64_t)workgroup(gpu) * PEAK_OCTS * 16;
    most = most < gpu->caps.max_range ? most : gpu->caps.max_range;
    most = (most < COPY_BYTES ? most : COPY_BYTES) / group;
    most = most < gpu->caps.max_groups[0] ? most : gpu->caps.max_groups[0];
    return (struct work){.shader = "peak_copy",
                         .copies = true,
                         .amount = 2.0 * (double)group,
                         .bytes = 2 * most * group,
                         .groups = (uint32_t)most,
                         .spec = {workgroup(gpu)},
                         .n_spec = 1};
}

static struct work multiply_adds(const struct gpu *gpu, uint32_t groups)
{
    return (struct work){.shader = "peak",
                         .amount = 2.0 * PEAK_STEPS * PEAK_CHAINS * workgroup(gpu),
                         .bytes = (uint64_t)groups * workgroup(gpu) * 16,
                         .groups = groups,
                         .spec = {workgroup(gpu)},
                         .n_spec = 1};
}

static struct work matrices(const struct gpu *gpu)
{
    const struct gpu_coop *m = &gpu->caps.coop;
    uint32_t lanes = gpu->caps.subgroup_size, subgroups = workgroup(gpu) / lanes ? workgroup(gpu) / lanes : 1;
    return (struct work){.shader = "peak_coop",
                         .amount = 2.0 * PEAK_SUMS * m->m * m->n * m->k * subgroups,
                         .bytes = (uint64_t)full_device(gpu) * subgroups * m->m * m->n * 4,
                         .groups = full_device(gpu),
                         .subgroup_size = lanes,
                         .spec = {subgroups * lanes, m->m, m->n, m->k},
                         .n_spec = 4};
}

static struct gpu_pass *create_pass(struct gpu *gpu, const struct work *w, const struct gpu_buffer *b, uint32_t rounds,
                                    struct segman_error *error)
{
    const struct peak_push push = {.rounds = rounds, .factor = 0.5f};
    struct gpu_pass_desc desc = {.shader = w->shader,
                                 .binding = {{{b, 0, w->bytes}, GPU_WRITE}},
                                 .n_bindings = 1,
                                 .spec = {w->spec[0], w->spec[1], w->spec[2], w->spec[3]},
                                 .n_spec = w->n_spec,
                                 .subgroup_size = w->subgroup_size,
                                 .push = &push,
                                 .push_size = sizeof(push),
                                 .groups = {w->groups, 1, 1}};
    if (w->copies) {
        desc.n_bindings = 2;
        for (uint32_t i = 0; i < 2; i++) {
            desc.binding[i].range = (struct gpu_range){b, i * (w->bytes / 2), w->bytes / 2};
            desc.binding[i].access = i ? GPU_WRITE : GPU_READ;
        }
    }
    return gpu_pass_create(gpu, &desc, error);
}

/* The least of a few runs, ms; negative after an error. */
static double least(struct gpu_commands *c, struct segman_error *error)
{
    double best = -1;
    for (int i = 0; i < RUNS; i++) {
        if (!gpu_commands_submit(c, error) || !gpu_commands_wait(c, PATIENT_NS, error))
            return -1;
        double ms = gpu_commands_time(c, 1);
        best = best < 0 || ms < best ? ms : best;
    }
    return best;
}

/* Milliseconds of a pass of so many rounds, recorded so many times; negative after an error. */
static double time_work(struct gpu *gpu, struct gpu_commands *c, const struct work *w, const struct gpu_buffer *b, uint32_t rounds,
                        uint32_t times, struct segman_error *error)
{
    struct gpu_pass *pass = create_pass(gpu, w, b, rounds, error);
    double ms = -1;
    if (pass && gpu_commands_begin(c, error)) {
        gpu_commands_timer(c);
        for (uint32_t i = 0; i < times; i++)
            gpu_commands_pass(c, pass);
        gpu_commands_timer(c);
        ms = gpu_commands_end(c, error) ? least(c, error) : -1;
    }
    gpu_pass_destroy(gpu, pass);
    return ms;
}

/* rate: of the work's amounts, a second. */
static bool measure_rate(struct gpu *gpu, struct gpu_commands *c, struct work w, double *rate, struct segman_error *error)
{
    struct gpu_buffer b = {0};
    uint32_t rounds = 1;
    if (!gpu_buffer_init(gpu, &b, w.bytes, GPU_MEMORY_DEVICE, error))
        return false;
    double ms = time_work(gpu, c, &w, &b, rounds, 1, error);
    while (!w.copies && ms >= 0 && ms < LEAST_MS && rounds < MOST_ROUNDS) {
        rounds *= 4;
        ms = time_work(gpu, c, &w, &b, rounds, 1, error);
    }
    gpu_buffer_finish(gpu, &b);
    *rate = ms > 0 ? 1e3 * w.amount * rounds * w.groups / ms : 0;
    return ms >= 0;
}

static bool measure_pass(struct gpu *gpu, struct gpu_commands *c, struct work w, double *seconds, struct segman_error *error)
{
    struct gpu_buffer b = {0};
    double ms = gpu_buffer_init(gpu, &b, w.bytes, GPU_MEMORY_DEVICE, error) ? time_work(gpu, c, &w, &b, 0, PASSES, error) : -1;
    gpu_buffer_finish(gpu, &b);
    *seconds = ms / 1e3 / PASSES;
    return ms >= 0;
}

bool gpu_peak_measure(struct gpu *gpu, struct segman_peak *peak, struct segman_error *error)
{
    *peak = (struct segman_peak){0};
    if (!gpu->caps.timestamps)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "This device has no timers: nothing can be measured on it");
    struct gpu_commands *c = gpu_commands_create(gpu, 2, error);
    bool ok = c && measure_rate(gpu, c, copy(gpu), &peak->bytes_per_second, error) &&
              measure_rate(gpu, c, multiply_adds(gpu, full_device(gpu)), &peak->flops, error) &&
              measure_pass(gpu, c, multiply_adds(gpu, 1), &peak->pass_seconds, error);
    if (ok && gpu->caps.coop.m && gpu_shader_find("peak_coop"))
        ok = measure_rate(gpu, c, matrices(gpu), &peak->matrix_flops, error);
    gpu_commands_destroy(c);
    return ok;
}
