/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole network against golden files, through the public API:
 *   test_golden [--only NAME-PART] FOLDER...   (SEGMAN_DEVICE chooses the device)
 * Three frames in a row each time, another picture in the middle: some drivers are right on frame 1 only.
 */
#include "../runner.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "custom.h"
#include "golden.h"

#define F32_TENSOR 1e-4
#define F32_LABELS 0.9995
#define F16_LOGITS 6e-3
#define F16_LABELS 0.993
#define F16_CLEAR  0.9995

static struct segman_context *context;
static char *path[256];
static size_t n_paths;

struct run {
    const char *what;
    enum segman_precision precision;
    bool every_tensor; /* tap all: nothing that is compared may be fused away */
    bool no_fuse;
    bool small; /* T and the custom one alone: the others have the same ops, and a CPU driver takes minutes over them */
};

static bool frame(struct segman_session *s, const struct golden *g, bool other, struct segman_result *r)
{
    struct segman_planes planes;
    struct segman_error error = {0};
    bool ok = segman_session_begin(s, &planes, &error);
    if (ok && other)
        memset(planes.plane[0], 0x5a, (size_t)planes.stride[0] * planes.rows[0]);
    else if (ok)
        golden_fill(g, &planes);
    ok = ok && segman_session_submit(s, 7, &error) && segman_session_wait(s, UINT64_MAX, r, &error);
    if (!ok)
        printf("  %s\n", error.message);
    return ok;
}

static void check_tensors(struct segman_session *s, const struct golden *g, const struct run *run)
{
    double limit = run->precision == SEGMAN_PRECISION_F16 ? F16_LOGITS : F32_TENSOR, worst = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        uint64_t count;
        uint32_t shape[3];
        float *got = NULL, *want = NULL;
        if (!run->every_tensor && strcmp(g->tensor[i], "logits"))
            continue;
        want = golden_tensor(g, i, &count);
        bool ok = want && segman_session_tap(s, g->tensor[i], shape, &got, NULL) && (uint64_t)shape[0] * shape[1] * shape[2] == count;
        double e = ok ? relative_l2(got, want, count) : INFINITY;
        if (e > limit)
            printf("\n  %s: relative L2 error %.2e, limit %.0e", g->tensor[i], e, limit);
        CU_ASSERT(e <= limit);
        worst = e > worst ? e : worst;
        free(got);
        free(want);
    }
    printf(" error %.1e", worst);
}

static void check_labels(const struct golden *g, const struct segman_result *r, const struct run *run)
{
    double all, clear;
    golden_compare_labels(g, r->labels, r->labels_stride, &all, &clear);
    printf(" labels %.5f %.5f", all, clear);
    if (run->precision == SEGMAN_PRECISION_F16) {
        CU_ASSERT(all >= F16_LABELS);
        CU_ASSERT(clear >= F16_CLEAR);
    } else {
        CU_ASSERT(all >= F32_LABELS);
    }
}

static void run_session(struct segman_model *model, const struct golden *g, const struct run *run)
{
    const char *logits = "logits";
    struct segman_error error = {0};
    const struct segman_session_params params = {
        .frame = {.format = SEGMAN_FORMAT_RGBA, .width = g->width, .height = g->height},
        .net_width = g->width,
        .net_height = g->height,
        .precision = run->precision,
        .slots = 1,
        .taps = run->every_tensor ? (const char *const *)g->tensor : &logits,
        .n_taps = run->every_tensor ? g->n_tensors : 1,
        .no_fuse = run->no_fuse,
    };
    struct segman_session *s = segman_session_create(model, &params, &error);
    if (!s)
        printf(" %s\n", error.message);
    CU_ASSERT_PTR_NOT_NULL(s);
    for (int i = 0; s && i < 3; i++) {
        struct segman_result r;
        bool ok = frame(s, g, i == 1, &r);
        CU_ASSERT(ok);
        if (!ok)
            break;
        if (i != 1) {
            check_tensors(s, g, run);
            check_labels(g, &r, run);
        }
        segman_session_release(s);
        if (i == 2)
            printf(" %.1f ms", r.gpu_ms);
    }
    segman_session_destroy(s);
}

/* Procedural weights by name; of the architecture that no table knows by a checkpoint file. */
static struct segman_model *open_model(const struct golden *g, char name[64], struct segman_error *error)
{
    snprintf(name, 64, "synthetic:%s:%u", g->variant, g->classes);
    if (strcmp(g->variant, custom_architecture.variant))
        return segman_model_open(context, name, error);
    struct segman_model *model = NULL;
    const char *folder = getenv("TMPDIR");
    char file[4096];
    snprintf(file, sizeof(file), "%s/segman-golden-%ld.safetensors", folder && *folder ? folder : P_tmpdir, (long)getpid());
    if (custom_write(&custom_architecture, file))
        model = segman_model_open(context, file, error);
    else
        segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s", file);
    unlink(file); /* stays mapped */
    snprintf(name, 64, "custom:%u", g->classes);
    return model;
}

/* The golden's weights as a released checkpoint, beside it where there is one: the same network from another file. */
static bool released(const char *golden, const struct golden *g, char name[512])
{
    const char *slash = strrchr(golden, '/');
    snprintf(name, 512, "%.*ssegman_%s_%u_procedural.pth", slash ? (int)(slash + 1 - golden) : 0, golden, g->variant, g->classes);
    return !access(name, R_OK);
}

static void test_released_checkpoint(void)
{
    for (size_t i = 0; i < n_paths; i++) {
        struct golden g;
        char name[512];
        struct segman_error error = {0};
        if (!golden_open(&g, path[i], &error))
            continue;
        if (released(path[i], &g, name)) {
            struct segman_model *model = segman_model_open(context, name, &error);
            CU_ASSERT_PTR_NOT_NULL(model);
            printf("\n  %s:%s", name, model ? "" : error.message);
            if (model)
                run_session(model, &g, &(struct run){.what = "f32", .precision = SEGMAN_PRECISION_F32});
            segman_model_destroy(model);
        }
        golden_close(&g);
    }
}

static void run_all(const struct run *run)
{
    for (size_t i = 0; i < n_paths; i++) {
        struct golden g;
        char name[64];
        struct segman_error error = {0};
        bool ok = golden_open(&g, path[i], &error);
        CU_ASSERT(ok);
        if (!ok) {
            printf("  %s\n", error.message);
            continue;
        }
        if (run->small && strcmp(g.variant, "t") && strcmp(g.variant, custom_architecture.variant)) {
            golden_close(&g);
            continue;
        }
        struct segman_model *model = open_model(&g, name, &error);
        CU_ASSERT_PTR_NOT_NULL(model);
        printf("\n  %-16s %4ux%-4u %s:", name, g.width, g.height, run->what);
        if (model)
            run_session(model, &g, run);
        else
            printf("%s", error.message);
        fflush(stdout);
        segman_model_destroy(model);
        golden_close(&g);
    }
}

static void test_every_tensor_f32(void)
{
    run_all(&(struct run){.what = "f32, every tensor", .precision = SEGMAN_PRECISION_F32, .every_tensor = true});
}

static void test_unfused_f32(void)
{
    run_all(&(struct run){.what = "f32, unfused", .precision = SEGMAN_PRECISION_F32, .no_fuse = true, .small = true});
}

static void test_fused_f32(void)
{
    run_all(&(struct run){.what = "f32", .precision = SEGMAN_PRECISION_F32});
}

static void test_fused_f16(void)
{
    run_all(&(struct run){.what = "f16", .precision = SEGMAN_PRECISION_F16});
}

static void test_validation_silent(void)
{
    CU_ASSERT_EQUAL(segman_context_validation_messages(context), 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_files(const char *folder, const char *part)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && n_paths < 256 && (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len < 12 || strcmp(e->d_name + len - 12, ".safetensors") || (part && !strstr(e->d_name, part)))
            continue;
        if (asprintf(&path[n_paths], "%s/%s", folder, e->d_name) > 0)
            n_paths++;
    }
    if (dir)
        closedir(dir);
    qsort(path, n_paths, sizeof(*path), by_name);
}

int main(int argc, char **argv)
{
    struct segman_error error = {0};
    const char *device = getenv("SEGMAN_DEVICE"), *validate = getenv("SEGMAN_TEST_VALIDATION");
    const char *part = argc > 2 && !strcmp(argv[1], "--only") ? argv[2] : NULL;
    for (int i = part ? 3 : 1; i < argc; i++)
        list_files(argv[i], part);
    if (!n_paths) {
        fprintf(stderr, "no golden files: skipped\n");
        return 77;
    }
    context =
        segman_context_create(&(struct segman_context_params){.device = device, .validation = !validate || strcmp(validate, "0")}, &error);
    if (!context) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("device: %s, %s\n", segman_context_device(context)->name, segman_context_device(context)->driver);
    static CU_TestInfo tests[] = {
        {"float32, every tensor", test_every_tensor_f32},
        {"float32, unfused", test_unfused_f32},
        {"float32", test_fused_f32},
        {"float16", test_fused_f16},
        {"float32, from a .pth", test_released_checkpoint},
        {"validation layer silent", test_validation_silent},
        CU_TEST_INFO_NULL,
    };
    int failed = runner_run("golden", tests);
    segman_context_destroy(context);
    for (size_t i = 0; i < n_paths; i++)
        free(path[i]);
    return failed ? 1 : 0;
}
