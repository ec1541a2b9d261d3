/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the rows of the convolution's table: for each wanted job a network of that one convolution, its pass recorded
 * several times over, each run waiting for the one before as in a network. The least of a few runs counts.
 */
#include <stdlib.h>

#include "lower.h"
#include "tuning.h"

#define RUN_MS     0.5 /* repetitions fill about this time */
#define REPEATS    64
#define RUNS       4
#define PATIENT_NS 60000000000ull

static bool any_shape(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    (void)user, (void)name, (void)rank, (void)shape, (void)error;
    return true;
}

static bool small_numbers(void *user, const char *name, uint32_t rank, const uint64_t *shape, float *out, struct segman_error *error)
{
    uint64_t count = 1;
    (void)user, (void)name, (void)error;
    for (uint32_t i = 0; i < rank; i++)
        count *= shape[i];
    for (uint64_t i = 0; i < count; i++)
        out[i] = 0.01f;
    return true;
}

static struct net_program *program_of(struct gpu *gpu, const struct net_job *job, uint32_t row, struct segman_error *error)
{
    static const struct net_weights weights = {.expect = any_shape, .read = small_numbers};
    struct net *n = net_create(&weights);
    if (!n) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    tensor x = net_input(n, job->c, job->h, job->w);
    net_output(n, net_conv(n, "conv", x, &(struct net_conv){job->out, job->kernel, job->stride, job->pad, .bias = true}));
    struct net_program *p = net_program_create(gpu, n, &(struct net_program_params){.f16 = job->f16, .conv_variant = row}, error);
    net_destroy(n);
    return p;
}

/* Zeros: what lies in new memory may be slow to compute with. */
static bool clear_input(struct gpu *gpu, const struct net_program *p, struct segman_error *error)
{
    struct net_memory x = net_program_input(p);
    void *zeros = calloc(1, x.range.size);
    bool ok = zeros ? gpu_buffer_write(gpu, x.range.buffer, x.range.offset, zeros, x.range.size, error)
                    : segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    free(zeros);
    return ok;
}

/* The program's passes, repeats times, in milliseconds each; negative after an error. */
static double run(struct gpu_commands *c, const struct net_program *p, uint32_t repeats, struct segman_error *error)
{
    const struct net_pass *pass;
    size_t n = net_program_passes(p, &pass);
    if (!gpu_commands_begin(c, error))
        return -1;
    gpu_commands_timer(c);
    for (uint32_t r = 0; r < repeats; r++)
        for (size_t i = 0; i < n; i++)
            gpu_commands_pass(c, pass[i].pass);
    gpu_commands_timer(c);
    if (!gpu_commands_end(c, error) || !gpu_commands_submit(c, error) || !gpu_commands_wait(c, PATIENT_NS, error))
        return -1;
    return gpu_commands_time(c, 1) / repeats;
}

static double time_row(struct gpu *gpu, struct gpu_commands *c, const struct net_job *job, uint32_t row, struct segman_error *error)
{
    struct net_program *p = program_of(gpu, job, row, error);
    double best = -1;
    if (p && clear_input(gpu, p, error))
        best = run(c, p, 1, error);
    if (best >= 0) {
        uint32_t repeats = best * REPEATS < RUN_MS ? REPEATS : best < RUN_MS ? (uint32_t)(RUN_MS / best) : 1;
        for (int i = 0; i < RUNS && best >= 0; i++) {
            double ms = run(c, p, repeats, error);
            best = ms < best ? ms : best; /* negative: stays so */
        }
    }
    net_program_destroy(p);
    return best;
}

/* 1 + the fastest row; 0 after an error. */
static uint32_t fastest_row(struct gpu *gpu, struct gpu_commands *c, const struct net_job *job, struct segman_error *error)
{
    uint32_t best = 0;
    double least = 0;
    for (uint32_t row = 1; row <= op_conv_variants(); row++) {
        if (!(job->rows >> (row - 1) & 1))
            continue;
        double ms = time_row(gpu, c, job, row, error);
        if (ms < 0)
            return 0;
        if (!best || ms < least) {
            best = row;
            least = ms;
        }
    }
    return best;
}

bool net_tune(struct net_tuning *t, struct gpu *gpu, net_tune_fn progress, void *user, struct segman_error *error)
{
    struct net_job job;
    uint32_t total = 0;
    if (!gpu_caps(gpu)->timestamps)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "This device has no timers: nothing can be measured on it");
    struct gpu_commands *c = gpu_commands_create(gpu, 2, error);
    bool ok = c != NULL;
    while (net_tuning_wanted(t, total, &job))
        total++;
    for (uint32_t i = 0; ok && net_tuning_wanted(t, i, &job); i++) {
        if (progress && !progress(user, i, total))
            break;
        uint32_t row = fastest_row(gpu, c, &job, error);
        ok = row != 0;
        if (ok)
            net_tuning_choose(t, &job, row);
    }
    gpu_commands_destroy(c);
    return ok;
}
