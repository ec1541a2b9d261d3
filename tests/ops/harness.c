/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "../runner.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vk/half.h"
#include "vk/net/lower.h"

static struct {
    struct gpu *gpu;
    const char *device, *only;
    bool bench, no_validation, pretend;
} harness;

/* ---- reproducible numbers ------------------------------------------------------------------------ */

static uint64_t hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3;
    return h;
}

static float mix(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    return (float)((double)(z >> 40) / (1 << 23) - 1.0);
}

float harness_uniform(const char *name, uint64_t i)
{
    return mix(hash(name), i);
}

/* value = add + mul * u */
struct rule {
    const char *leaf;
    float add, mul;
};

static struct rule rule_of(const char *name, uint32_t rank, const uint64_t *shape)
{
    static const struct rule rules[] = {{"running_mean", 0, 0.1f}, {"running_var", 1, 0.5f}, {"A_logs", 0, 0.5f},
                                        {"Ds", 1, 0.2f},           {"dt_projs_bias", -4, 2}, {"bias", 0, 0.3f}};
    const char *dot = strrchr(name, '.'), *leaf = dot ? dot + 1 : name;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (!strcmp(leaf, rules[i].leaf))
            return rules[i];
    if (!strcmp(leaf, "dt_projs_weight"))
        return (struct rule){leaf, 0, 1 / sqrtf((float)shape[rank - 1])};
    if (strstr(name, "rpb"))
        return (struct rule){leaf, 0, 0.5f};
    if (!strcmp(leaf, "weight") && (rank == 1 || (rank == 4 && shape[1] * shape[2] * shape[3] == 1)))
        return (struct rule){leaf, 1, 0.2f};
    uint64_t fan = 1;
    for (uint32_t i = 1; i < rank; i++)
        fan *= shape[i];
    return (struct rule){leaf, 0, sqrtf(3.0f / (float)fan)};
}

static void fill_weight(const char *name, uint32_t rank, const uint64_t *shape, float *out)
{
    struct rule r = rule_of(name, rank, shape);
    uint64_t seed = hash(name), n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= shape[i];
    for (uint64_t i = 0; i < n; i++)
        out[i] = r.add + r.mul * mix(seed, i);
}

float *harness_weight(const char *name, uint32_t rank, const uint64_t *shape)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= shape[i];
    float *w = malloc(n * sizeof(*w));
    if (!w)
        abort();
    fill_weight(name, rank, shape, w);
    return w;
}

float *harness_weight_of(const char *scope, const char *suffix, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t shape[4] = {a, b, c, d};
    uint32_t rank = 0;
    char name[256];
    while (rank < 4 && shape[rank])
        rank++;
    snprintf(name, sizeof(name), "%s.%s", scope, suffix);
    return harness_weight(name, rank, shape);
}

static bool weights_expect(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    (void)user, (void)name, (void)rank, (void)shape, (void)error;
    return true;
}

static bool weights_read(void *user, const char *name, uint32_t rank, const uint64_t *shape, float *out, struct segman_error *error)
{
    (void)user, (void)error;
    fill_weight(name, rank, shape, out);
    return true;
}

struct net *harness_net(void)
{
    static const struct net_weights weights = {.expect = weights_expect, .read = weights_read};
    return net_create(&weights);
}

struct gpu *harness_gpu(void)
{
    return harness.gpu;
}

void harness_pretend_gpu(bool pretend)
{
    struct gpu_caps *caps = (struct gpu_caps *)gpu_caps(harness.gpu);
    caps->cpu = gpu_info(harness.gpu)->type == SEGMAN_DEVICE_CPU && !pretend;
    harness.pretend = pretend;
}

/* ---- planar floats <-> tensors ------------------------------------------------------------------- */

float *harness_input(const struct harness_case *t)
{
    size_t n = (size_t)t->c * t->h * t->w;
    float scale = t->scale != 0 ? t->scale : 1, *x = malloc(n * sizeof(*x));
    uint64_t seed = hash(t->name);
    if (!x)
        abort();
    for (size_t i = 0; i < n; i++)
        x[i] = half_to_float(half_from_float(t->offset + scale * mix(seed, i)));
    return x;
}

static size_t element(const struct net_memory *m, size_t pixel, uint32_t channel)
{
    return (pixel * m->stride4 + m->offset4) * 4 + channel;
}

static bool upload(const struct net_memory *m, const float *x, struct segman_error *error)
{
    size_t pixels = (size_t)m->h * m->w, n = pixels * m->stride4 * 4, size = m->f16 ? 2 : 4;
    char *data = calloc(n, size);
    if (!data)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    for (uint32_t c = 0; c < m->c; c++)
        for (size_t i = 0; i < pixels; i++)
            if (m->f16)
                ((uint16_t *)data)[element(m, i, c)] = half_from_float(x[c * pixels + i]);
            else
                ((float *)data)[element(m, i, c)] = x[c * pixels + i];
    bool ok = gpu_buffer_write(harness.gpu, m->range.buffer, m->range.offset, data, n * size, error);
    free(data);
    return ok;
}

static float element_value(const struct net_memory *m, const char *data, size_t i)
{
    return m->f16 ? half_to_float(((const uint16_t *)data)[i]) : ((const float *)data)[i];
}

float *harness_read(const struct net_memory *m, bool *clean)
{
    size_t pixels = (size_t)m->h * m->w;
    struct segman_error error;
    char *data = malloc(m->range.size);
    float *out = malloc((pixels * m->c + 1) * sizeof(*out));
    if (!data || !out || !gpu_buffer_read(harness.gpu, m->range.buffer, m->range.offset, data, m->range.size, &error)) {
        free(data);
        free(out);
        return NULL;
    }
    for (uint32_t c = 0; c < m->c; c++)
        for (size_t i = 0; i < pixels; i++)
            out[c * pixels + i] = element_value(m, data, element(m, i, c));
    bool zero = true, view = m->offset4 || m->stride4 * 4 != align_up(m->c, 8);
    for (size_t i = 0; i < pixels && !view; i++)
        for (uint32_t c = m->c; c < m->stride4 * 4; c++)
            zero = zero && element_value(m, data, element(m, i, c)) == 0;
    if (clean)
        *clean = zero;
    free(data);
    return out;
}

double harness_error(const float *a, const float *b, size_t count, double *max)
{
    double difference = 0, norm = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= largest))
            largest = isnan(d) ? (double)INFINITY : d;
        difference += d * d;
        norm += (double)b[i] * b[i];
    }
    if (max)
        *max = largest;
    return isinf(largest) ? (double)INFINITY : sqrt(difference / (norm > 0 ? norm : 1));
}

/* ---- running ------------------------------------------------------------------------------------- */

static bool poison(const struct gpu_buffer *arena, struct segman_error *error)
{
    void *data = malloc(arena->size);
    if (!data)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    memset(data, 0xff, arena->size); /* NaN in both precisions */
    bool ok = gpu_buffer_write(harness.gpu, arena, 0, data, arena->size, error);
    free(data);
    return ok;
}

/* Records the passes `times` times; with timers, a timestamp at both ends. */
static bool run_passes(const struct net_program *program, uint32_t times, double *ms, struct segman_error *error)
{
    const struct net_pass *pass;
    size_t n = net_program_passes(program, &pass);
    bool ok = false;
    struct gpu_commands *commands = gpu_commands_create(harness.gpu, ms ? 2 : 0, error);
    if (!commands || !gpu_commands_begin(commands, error))
        goto done;
    if (ms)
        gpu_commands_timer(commands);
    for (size_t i = 0; i < times * n; i++)
        gpu_commands_pass(commands, pass[i % n].pass);
    if (ms)
        gpu_commands_timer(commands);
    ok = gpu_commands_end(commands, error) && gpu_commands_submit(commands, error) && gpu_commands_wait(commands, 600000000000, error);
    if (ms && ok)
        *ms = gpu_commands_time(commands, 1) / times;
done:
    gpu_commands_destroy(commands);
    return ok;
}

bool harness_rerun(const struct net_program *program, const float *x, struct segman_error *error)
{
    struct net_memory input = net_program_input(program);
    return upload(&input, x, error) && run_passes(program, 1, NULL, error);
}

bool harness_run(const struct net_program *program, const float *x, struct segman_error *error)
{
    return poison(net_program_input(program).range.buffer, error) && harness_rerun(program, x, error);
}

/* ---- a case -------------------------------------------------------------------------------------- */

struct result {
    float *out;
    bool clean, stable, guarded;
};

/* With one pass, all bytes of the arena but those of input and output must be as they were: 0xff. */
static bool check_guards(const struct net_program *program)
{
    const struct net_pass *pass;
    struct net_memory in = net_program_input(program), out = net_program_output(program);
    const struct gpu_buffer *arena = in.range.buffer;
    struct segman_error error;
    if (net_program_passes(program, &pass) != 1)
        return true;
    unsigned char *data = malloc(arena->size);
    bool ok = data && gpu_buffer_read(harness.gpu, arena, 0, data, arena->size, &error);
    for (uint64_t i = 0; ok && i < arena->size; i++)
        ok = data[i] == 0xff || i - in.range.offset < in.range.size || i - out.range.offset < out.range.size;
    free(data);
    return ok;
}

static bool run_twice(const struct net_program *program, const float *x, struct result *r, struct segman_error *error)
{
    struct net_memory in = net_program_input(program), out = net_program_output(program);
    bool input_clean = true;
    if (!harness_run(program, x, error) || !(r->out = harness_read(&out, &r->clean)))
        return false;
    r->guarded = check_guards(program);
    if (!harness_rerun(program, x, error))
        return false;
    float *again = harness_read(&out, NULL), *input = harness_read(&in, &input_clean);
    r->stable = again && !memcmp(again, r->out, (size_t)out.c * out.h * out.w * sizeof(*again));
    const struct net_pass *pass;
    if (net_program_passes(program, &pass) == 1) /* else the planner may have given its bytes to others */
        r->guarded = r->guarded && input_clean && input && !memcmp(input, x, (size_t)in.c * in.h * in.w * sizeof(*input));
    free(again);
    free(input);
    return again != NULL;
}

static void bench(const struct net_program *program, bool f16, const char *name)
{
    const struct net_pass *pass;
    struct segman_error error;
    double flops = 0, bytes = 0, ms = 0, best = INFINITY;
    size_t n = net_program_passes(program, &pass);
    for (size_t i = 0; i < n; i++) {
        flops += pass[i].flops;
        bytes += pass[i].bytes;
    }
    bool cpu = gpu_info(harness.gpu)->type == SEGMAN_DEVICE_CPU;
    for (int i = 0; i < 3 && run_passes(program, cpu ? 1 : 50, &ms, &error); i++)
        best = ms < best ? ms : best;
    printf("    bench %-40s %s %9.4f ms %9.2f GFLOP/s %8.2f GB/s  %zu passes, first %s %ux%ux%u\n", name, f16 ? "f16" : "f32", best,
           flops / best * 1e-6, bytes / best * 1e-6, n, n ? pass[0].shader : "", n ? pass[0].groups[0] : 0, n ? pass[0].groups[1] : 0,
           n ? pass[0].groups[2] : 0);
}

static void report(const struct harness_case *t, bool f16, const struct result *r, size_t count, const float *expected)
{
    double max, budget = f16 ? t->f16 : t->f32, error = harness_error(r->out, expected, count, &max);
    bool ok = error <= budget && r->clean && r->stable && r->guarded;
    printf("    %-46s %s%s  error %.2e (budget %.0e)  max %.2e%s%s%s%s\n", t->name, f16 ? "f16" : "f32",
           harness.pretend ? " (as a GPU)" : "", error, budget, max, r->clean ? "" : "  PADDING IS NOT ZERO",
           r->stable ? "" : "  DIFFERS ON THE SECOND RUN", r->guarded ? "" : "  WROTE OUTSIDE OF THE OUTPUT", ok ? "" : "  FAILED");
    CU_ASSERT(error <= budget);
    CU_ASSERT(r->clean);
    CU_ASSERT(r->stable);
    CU_ASSERT(r->guarded);
}

static void check_one(const struct harness_case *t, bool f16, const float *x)
{
    struct segman_error error = {0};
    struct net *n = harness_net();
    struct net_program *program = NULL;
    struct result r = {0};
    float *expected = NULL;
    if (!n)
        abort();
    tensor result = t->build(n, net_input(n, t->c, t->h, t->w), t->arg);
    net_output(n, result);
    program = net_program_create(harness.gpu, n,
                                 &(struct net_program_params){.f16 = f16, .no_fuse = t->no_fuse, .conv_variant = t->conv_variant}, &error);
    bool ok = program && run_twice(program, x, &r, &error);
    if (ok) {
        struct net_memory out = net_program_output(program);
        size_t count = (size_t)out.c * out.h * out.w;
        expected = calloc(count, sizeof(*expected));
        if (!expected)
            abort();
        t->reference(x, expected, t->arg);
        report(t, f16, &r, count, expected);
        if (harness.bench)
            bench(program, f16, t->name);
    } else {
        printf("    %s %s: %s\n", t->name, f16 ? "f16" : "f32", error.message);
        CU_FAIL("the case did not run");
    }
    free(expected);
    free(r.out);
    net_program_destroy(program);
    net_destroy(n);
}

void harness_check(const struct harness_case *t)
{
    if (harness.only && !strstr(t->name, harness.only))
        return;
    float *x = harness_input(t);
    if (t->f32 > 0)
        check_one(t, false, x);
    if (t->f16 > 0)
        check_one(t, true, x);
    free(x);
}

/* ---- the program --------------------------------------------------------------------------------- */

static bool parse(int argc, char **argv)
{
    harness.device = getenv("SEGMAN_DEVICE");
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--bench"))
            harness.bench = true;
        else if (!strcmp(argv[i], "--no-validation"))
            harness.no_validation = true;
        else if (!strcmp(argv[i], "--device") && i + 1 < argc)
            harness.device = argv[++i];
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            harness.only = argv[++i];
        else
            return false;
    }
    return true;
}

int harness_main(int argc, char **argv, const char *suite, CU_TestInfo *tests)
{
    struct segman_error error = {0};
    if (!parse(argc, argv)) {
        fprintf(stderr, "usage: %s [--bench] [--device NAME] [--only TEXT] [--no-validation]\n", argv[0]);
        return 1;
    }
    /* The layer checks every call: it would be what a benchmark measures. */
    bool validation = !harness.bench && !harness.no_validation;
    harness.gpu = gpu_create(&(struct segman_context_params){.device = harness.device, .validation = validation}, &error);
    if (!harness.gpu) {
        fprintf(stderr, "%s: %s\n", suite, error.message);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s on %s%s\n", suite, gpu_info(harness.gpu)->name, validation ? ", validated where the layer is installed" : "");
    int status = runner_run(suite, tests);
    uint32_t messages = gpu_validation_messages(harness.gpu);
    if (messages)
        printf("%s: %u messages of the validation layer\n", suite, messages);
    gpu_destroy(harness.gpu);
    return status || messages;
}
