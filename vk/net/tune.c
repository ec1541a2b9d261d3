/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the rows of the convolution's table: for each wanted job a network of that one convolution by every row that can compute
 * it. Their passes are recorded in turn, each waiting for the one before as in a network, so that a pass finds its code as cold as
 * it does there: what a row's size costs is in its time. The least of a few rounds counts.
 */
#include <stdlib.h>

#include "lower.h"
#include "tuning.h"

#define MAX_ROWS   32
#define ROUNDS     8   /* in one list, */
#define ROUNDS_MS  5.0 /* or one where a round takes longer than this */
#define RUNS       4
#define PATIENT_NS 60000000000ull

struct candidate {
    uint32_t row; /* 1 + its number */
    struct net_program *program;
    double ms;
};

struct contest {
    struct gpu *gpu;
    struct gpu_commands *commands; /* timers for every pass of ROUNDS rounds */
    struct candidate candidate[MAX_ROWS];
    uint32_t count;
};

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

static struct net *net_of(const struct net_job *job, struct segman_error *error)
{
    static const struct net_weights weights = {.expect = any_shape, .read = small_numbers};
    struct net *n = net_create(&weights);
    if (!n) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    tensor x = net_input(n, job->c, job->h, job->w);
    net_output(n, net_conv(n, "conv", x, &(struct net_conv){job->out, job->kernel, job->stride, job->pad, .bias = true}));
    return n;
}

static struct net_program *program_of(struct gpu *gpu, const struct net_job *job, uint32_t row, struct segman_error *error)
{
    struct net *n = net_of(job, error);
    struct net_program *p =
        n ? net_program_create(gpu, n, &(struct net_program_params){.f16 = job->f16, .conv_variant = row}, error) : NULL;
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

static bool enter(struct contest *t, const struct net_job *job, uint32_t row, struct segman_error *error)
{
    struct net_program *p = program_of(t->gpu, job, row, error);
    if (!p)
        return false;
    t->candidate[t->count++] = (struct candidate){.row = row, .program = p, .ms = -1};
    return clear_input(t->gpu, p, error);
}

static bool record(struct contest *t, uint32_t rounds, struct segman_error *error)
{
    struct gpu_commands *c = t->commands;
    if (!gpu_commands_begin(c, error))
        return false;
    gpu_commands_serial(c, true);
    gpu_commands_timer(c);
    for (uint32_t i = 0; i < rounds * t->count; i++) {
        const struct net_pass *pass;
        size_t n = net_program_passes(t->candidate[i % t->count].program, &pass);
        for (size_t k = 0; k < n; k++)
            gpu_commands_pass(c, pass[k].pass);
        gpu_commands_timer(c);
    }
    return gpu_commands_end(c, error);
}

/* Runs the list and notes who was faster than before; returns the milliseconds of all, negative after an error. */
static double run(struct contest *t, uint32_t rounds, struct segman_error *error)
{
    double before = 0;
    if (!gpu_commands_submit(t->commands, error) || !gpu_commands_wait(t->commands, PATIENT_NS, error))
        return -1;
    for (uint32_t i = 0; i < rounds * t->count; i++) {
        struct candidate *c = &t->candidate[i % t->count];
        double now = gpu_commands_time(t->commands, i + 1);
        if (c->ms < 0 || now - before < c->ms)
            c->ms = now - before;
        before = now;
    }
    return before;
}

static bool measure(struct contest *t, struct segman_error *error)
{
    double ms = record(t, 1, error) ? run(t, 1, error) : -1;
    uint32_t rounds = ms < ROUNDS_MS ? ROUNDS : 1;
    for (uint32_t i = 0; i < t->count; i++)
        t->candidate[i].ms = -1; /* the first round has waited for what comes once */
    if (ms < 0 || (rounds > 1 && !record(t, rounds, error)))
        return false;
    for (int i = 0; i < RUNS; i++)
        if (run(t, rounds, error) < 0)
            return false;
    return true;
}

/* 1 + the fastest row; 0 after an error. */
static uint32_t fastest_row(struct gpu *gpu, struct gpu_commands *c, const struct net_job *job, struct segman_error *error)
{
    struct contest t = {.gpu = gpu, .commands = c};
    const struct candidate *best = &t.candidate[0];
    bool ok = true;
    for (uint32_t row = 1; ok && row <= op_conv_variants(); row++)
        if (job->rows >> (row - 1) & 1)
            ok = enter(&t, job, row, error);
    ok = ok && measure(&t, error);
    for (uint32_t i = 0; i < t.count; i++) {
        if (t.candidate[i].ms < best->ms)
            best = &t.candidate[i];
        net_program_destroy(t.candidate[i].program);
    }
    return ok ? best->row : 0;
}

/* Whether the same rows make the same pipelines of both. */
static bool alike(const struct net_job *a, const struct net_job *b)
{
    return a->kernel == b->kernel && a->stride == b->stride && a->pad == b->pad && a->f16 == b->f16;
}

static bool note_rows(struct gpu *gpu, const struct net_job *job, uint32_t rows, struct segman_error *error)
{
    bool ok = true;
    for (uint32_t row = 1; ok && row <= op_conv_variants(); row++) {
        if (!(rows >> (row - 1) & 1))
            continue;
        struct net *n = net_of(job, error);
        ok = n && net_program_note(gpu, n, &(struct net_program_params){.f16 = job->f16, .conv_variant = row}, error);
        net_destroy(n);
    }
    return ok;
}

/* Compiles what will be measured, all of it at once. */
static bool prepare(struct net_tuning *t, struct gpu *gpu, struct segman_error *error)
{
    struct net_job job, before;
    for (uint32_t i = 0; net_tuning_wanted(t, i, &job); i++) {
        uint32_t rows = job.rows;
        for (uint32_t k = 0; k < i && net_tuning_wanted(t, k, &before); k++)
            if (alike(&job, &before))
                rows &= ~before.rows;
        if (!note_rows(gpu, &job, rows, error))
            return false;
    }
    return gpu_pipelines_prepare(gpu, error);
}

bool net_tune(struct net_tuning *t, struct gpu *gpu, net_tune_fn progress, void *user, struct segman_error *error)
{
    struct net_job job;
    uint32_t total = 0;
    if (!gpu_caps(gpu)->timestamps)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "This device has no timers: nothing can be measured on it");
    struct gpu_commands *c = gpu_commands_create(gpu, 1 + MAX_ROWS * ROUNDS, error);
    while (net_tuning_wanted(t, total, &job))
        total++;
    bool more = total && (!progress || progress(user, 0, total)), ok = c && (!more || prepare(t, gpu, error));
    for (uint32_t i = 0; ok && more && net_tuning_wanted(t, i, &job); i++) {
        if (i && progress && !progress(user, i, total))
            break;
        uint32_t row = fastest_row(gpu, c, &job, error);
        ok = row != 0;
        if (ok)
            net_tuning_choose(t, &job, row);
    }
    gpu_commands_destroy(c);
    return ok;
}
