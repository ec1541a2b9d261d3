/* SPDX-License-Identifier: Apache-2.0 */
/* What a device can do at most, measured: a large copy, multiply-adds in registers (shaders/peak.comp, peak_coop.comp). */
#include "../../shaders/iface.h"

#include "internal.h"

#define LEAST_MS   1.0 /* a run that counts takes this long */
#define MOST_ROUND 0x10000u
#define RUNS       4
#define PASSES     200
#define PATIENT_NS 60000000000ull
#define COPY_BYTES (256ull << 20) /* more than caches hold */
#define WG         256u

/* One run of what was recorded between the two timers, ms; negative after an error. */
static double run(struct gpu_commands *c, struct segman_error *error)
{
    if (!gpu_commands_submit(c, error) || !gpu_commands_wait(c, PATIENT_NS, error))
        return -1;
    return gpu_commands_time(c, 1);
}

static double least(struct gpu_commands *c, struct segman_error *error)
{
    double best = run(c, error);
    for (int i = 1; i < RUNS && best >= 0; i++) {
        double ms = run(c, error);
        best = ms < best ? ms : best; /* negative: stays so */
    }
    return best;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool record_copy(struct gpu_commands *c, struct gpu_range from, struct gpu_range to, struct segman_error *error)
{
    if (!gpu_commands_begin(c, error))
        return false;
    gpu_commands_timer(c);
    gpu_commands_copy(c, from, to);
    gpu_commands_timer(c);
    return gpu_commands_end(c, error);
}

static bool measure_memory(struct gpu *gpu, struct gpu_commands *c, double *bytes_per_second, struct segman_error *error)
{
    uint64_t most = gpu->info.total_memory / (gpu->caps.cpu ? 256 : 16), bytes = most < COPY_BYTES ? most & ~(uint64_t)255 : COPY_BYTES;
    struct gpu_buffer from = {0}, to = {0};
    double ms = -1;
    if (gpu_buffer_init(gpu, &from, bytes, GPU_MEMORY_DEVICE, error) && gpu_buffer_init(gpu, &to, bytes, GPU_MEMORY_DEVICE, error) &&
        record_copy(c, (struct gpu_range){&from, 0, bytes}, (struct gpu_range){&to, 0, bytes}, error))
        ms = least(c, error);
    gpu_buffer_finish(gpu, &from);
    gpu_buffer_finish(gpu, &to);
    *bytes_per_second = ms > 0 ? 2e3 * (double)bytes / ms : 0;
    return ms >= 0;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

struct work {
    const char *shader;
    double flops; /* of a workgroup, a round */
    uint64_t bytes;
    uint32_t groups, subgroup_size;
    uint32_t spec[4], n_spec;
};

static uint32_t full_device(const struct gpu *gpu)
{
    return gpu->caps.cpu ? 64 : 2048;
}

static struct work multiply_adds(const struct gpu *gpu)
{
    uint32_t wg = WG < gpu->caps.max_invocations ? WG : gpu->caps.max_invocations;
    return (struct work){.shader = "peak",
                         .flops = 2.0 * PEAK_STEPS * PEAK_CHAINS * wg,
                         .bytes = (uint64_t)full_device(gpu) * wg * 16,
                         .groups = full_device(gpu),
                         .spec = {wg},
                         .n_spec = 1};
}

static struct work matrices(const struct gpu *gpu)
{
    const struct gpu_coop *m = &gpu->caps.coop;
    uint32_t subgroups = WG / gpu->caps.subgroup_size;
    subgroups = subgroups ? subgroups : 1;
    return (struct work){.shader = "peak_coop",
                         .flops = 2.0 * PEAK_SUMS * m->m * m->n * m->k * subgroups,
                         .bytes = (uint64_t)full_device(gpu) * subgroups * m->m * m->n * 4,
                         .groups = full_device(gpu),
                         .subgroup_size = gpu->caps.subgroup_size,
                         .spec = {subgroups * gpu->caps.subgroup_size, m->m, m->n, m->k},
                         .n_spec = 4};
}

/* Milliseconds of so many rounds, so many times over; negative after an error. */
static double time_rounds(struct gpu *gpu, struct gpu_commands *c, const struct work *w, const struct gpu_buffer *y, uint32_t rounds,
                          uint32_t times, struct segman_error *error)
{
    const struct peak_push push = {.rounds = rounds, .factor = 0.5f};
    struct gpu_pass_desc desc = {.shader = w->shader,
                                 .binding = {{{y, 0, w->bytes}, GPU_WRITE}},
                                 .n_bindings = 1,
                                 .spec = {w->spec[0], w->spec[1], w->spec[2], w->spec[3]},
                                 .n_spec = w->n_spec,
                                 .subgroup_size = w->subgroup_size,
                                 .push = &push,
                                 .push_size = sizeof(push),
                                 .groups = {w->groups, 1, 1}};
    struct gpu_pass *pass = gpu_pass_create(gpu, &desc, error);
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

static bool measure_pass(struct gpu *gpu, struct gpu_commands *c, struct work w, double *seconds, struct segman_error *error)
{
    struct gpu_buffer y = {0};
    w.groups = 1;
    double ms = gpu_buffer_init(gpu, &y, w.bytes, GPU_MEMORY_DEVICE, error) ? time_rounds(gpu, c, &w, &y, 0, PASSES, error) : -1;
    gpu_buffer_finish(gpu, &y);
    *seconds = ms / 1e3 / PASSES;
    return ms >= 0;
}

static bool measure_work(struct gpu *gpu, struct gpu_commands *c, const struct work *w, double *flops, struct segman_error *error)
{
    struct gpu_buffer y = {0};
    uint32_t rounds = 1;
    if (!gpu_buffer_init(gpu, &y, w->bytes, GPU_MEMORY_DEVICE, error))
        return false;
    double ms = time_rounds(gpu, c, w, &y, rounds, 1, error);
    while (ms >= 0 && ms < LEAST_MS && rounds < MOST_ROUND) {
        rounds *= 4;
        ms = time_rounds(gpu, c, w, &y, rounds, 1, error);
    }
    gpu_buffer_finish(gpu, &y);
    *flops = ms > 0 ? 1e3 * w->flops * rounds * w->groups / ms : 0;
    return ms >= 0;
}

bool gpu_peak_measure(struct gpu *gpu, struct segman_peak *peak, struct segman_error *error)
{
    *peak = (struct segman_peak){0};
    if (!gpu->caps.timestamps)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "This device has no timers: nothing can be measured on it");
    const struct work on_lanes = multiply_adds(gpu), on_matrices = matrices(gpu);
    struct gpu_commands *c = gpu_commands_create(gpu, 2, error);
    bool ok = c && measure_memory(gpu, c, &peak->bytes_per_second, error) && measure_work(gpu, c, &on_lanes, &peak->flops, error) &&
              measure_pass(gpu, c, on_lanes, &peak->pass_seconds, error);
    if (ok && gpu->caps.coop.m && gpu_shader_find(on_matrices.shader))
        ok = measure_work(gpu, c, &on_matrices, &peak->matrix_flops, error);
    gpu_commands_destroy(c);
    return ok;
}
