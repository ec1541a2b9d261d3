/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence over time and skipped frames against plain C; flicker and lag with a network that sees the picture as it is. */
#include "../runner.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "past.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define W        160 /* pixels of a frame and of the network's input */
#define H        96

static uint8_t rgba[W * H * 4];

/* ---- material ------------------------------------------------------------------------------------- */

/* Standard normal, nearly: a sum of twelve uniform numbers. */
static double normal(uint32_t *seed)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (rig_random(seed) & 0xffff) / 65536.0;
    return sum;
}

static uint8_t byte(double v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

/* A dark and a bright half with an upright edge at x, and noise of this many levels. */
static void draw(double x, double dark, double bright, double noise, uint32_t *seed)
{
    for (uint32_t i = 0; i < W * H; i++)
        for (uint32_t k = 0; k < 4; k++) {
            double cover = fmin(fmax(x - i % W, 0), 1); /* of the bright side */
            rgba[4 * i + k] = byte(dark + cover * (bright - dark) + (noise > 0 ? noise * normal(seed) : 0));
        }
}

/* Logits of a network that knows the edge: class 0 left of it, 1 right of it; a step in pixels is as wide as soft. */
static void know(float *logits, const struct past *p, double x, double soft, double noise, uint32_t *seed)
{
    for (uint32_t i = 0; i < p->cells; i++) {
        double at = (i % p->grid_w + 0.5) * p->rig.p.ratio, v = 4 * tanh((x - at) / soft);
        logits[i] = (float)(v / 2 + noise * normal(seed));
        logits[p->cells + i] = (float)(-v / 2 + noise * normal(seed));
    }
}

static void random_logits(float *logits, size_t n, uint32_t *seed)
{
    for (size_t i = 0; i < n; i++)
        logits[i] = (float)(rig_random(seed) % 512) / 32 - 8;
}

static const struct rig_params standard = {.frame = {SEGMAN_FORMAT_RGBA, W, H, 0, 0, 0}, .net_w = W, .net_h = H, .ratio = 8, .slots = 2};

/* ---- against the reference -------------------------------------------------------------------------- */

/* Frames of which some stay, some move a little or a lot, one after a reset. */
static void check_evidence(const struct rig_params *params)
{
    struct past p;
    struct segman_result r;
    bool skipped, ok = past_init(&p, params);
    size_t n = (size_t)p.n_crops * p.classes * p.cells;
    float *logits = malloc(n * sizeof(*logits));
    uint32_t seed = 3, wrong = 0, picture = 5;
    double worst = 0;
    for (uint32_t frame = 0; ok && frame < 9; frame++) {
        double x = frame < 3 ? 60 : frame < 6 ? 60 + 0.7 * frame : 20 * frame;
        draw(x, 100, 100 + 15 * (frame % 4), 4, &picture);
        random_logits(logits, n, &seed);
        if (frame == 7)
            past_reset(&p);
        ok = past_run(&p, rgba, logits, &r, &skipped);
        wrong += r.skipped != skipped;
        double e = past_error(&p);
        worst = e < 0 || e > worst ? fabs(e) : worst;
    }
    if (!ok || wrong || worst > 1e-3)
        fprintf(stderr, "%u classes, %u crops, f16 %d, smooth %g: wrong by %g, %u decisions\n", p.classes, p.n_crops, p.rig.p.f16,
                (double)params->smooth, worst, wrong);
    CU_ASSERT_TRUE(ok && !wrong && worst <= 1e-3);
    free(logits);
    past_finish(&p);
}

static void test_evidence(void)
{
    static const uint32_t classes[] = {1, 2, 19, 24, 150, 255};
    static const float smooth[] = {0.8f, 0.3f, 1.0f, 0.5f, 0.9f, 0.7f};
    for (size_t i = 0; i < COUNT(classes); i++)
        for (unsigned f16 = 0; f16 < 2; f16++) {
            struct rig_params p = standard;
            p.classes = classes[i];
            p.f16 = f16;
            p.smooth = smooth[i];
            p.offset4 = (uint32_t)i % 2;
            check_evidence(&p);
        }
}

static void test_evidence_crops(void)
{
    for (unsigned f16 = 0; f16 < 2; f16++)
        for (unsigned skip = 0; skip < 2; skip++) {
            struct rig_params p = standard;
            p.classes = 19;
            p.f16 = f16;
            p.smooth = 0.8f;
            p.crop_w = p.crop_h = 64;
            p.stride = 32;
            p.skip_still = skip;
            p.still_threshold = 5;
            check_evidence(&p);
        }
}

/* Labels are made of the evidence. */
static void test_labels(void)
{
    for (unsigned slide = 0; slide < 2; slide++) {
        struct past p;
        struct segman_result r;
        struct rig_params params = standard;
        bool skipped;
        double v[256];
        uint32_t seed = 8, wrong = 0;
        params.smooth = 0.8f;
        params.classes = 9;
        params.crop_w = params.crop_h = slide ? 64 : 0;
        params.stride = 32;
        CU_ASSERT_TRUE_FATAL(past_init(&p, &params));
        size_t n = (size_t)p.n_crops * p.classes * p.cells;
        float *logits = malloc(n * sizeof(*logits)), *mixed = malloc(n * sizeof(*mixed));
        struct ref_crop crops[FRAME_MAX_CROPS];
        for (uint32_t frame = 0; frame < 3; frame++) {
            draw(40, 90, 120, 0, &seed);
            random_logits(logits, n, &seed);
            CU_ASSERT_TRUE(past_run(&p, rgba, logits, &r, &skipped));
        }
        for (size_t i = 0; i < n; i++)
            mixed[i] = (float)p.evidence[i];
        for (uint32_t i = 0; i < p.n_crops; i++)
            crops[i] = (struct ref_crop){mixed + (size_t)i * p.classes * p.cells, p.rig.crops[i].x, p.rig.crops[i].y};
        const struct ref_logits l = {p.classes, p.grid_w, p.grid_h, p.rig.frame.input.w, p.rig.frame.input.h, W, H, crops, p.n_crops};
        for (uint32_t y = 0; y < H; y++)
            for (uint32_t x = 0; x < W; x++) {
                uint32_t best = 0, got = r.labels[y * r.labels_stride + x];
                ref_logits_at(&l, W, H, x, y, v);
                for (uint32_t c = 1; c < p.classes; c++)
                    best = v[c] > v[best] ? c : best;
                wrong += got >= p.classes || v[got] < v[best] - 1e-4;
            }
        CU_ASSERT_EQUAL(wrong, 0);
        free(logits);
        free(mixed);
        past_finish(&p);
    }
}

/* ---- skipping ------------------------------------------------------------------------------------------ */

/* Still frames keep their labels whatever the network would have said; one that moves anywhere is never skipped. */
static void check_skipping(const struct rig_params *params)
{
    struct past p;
    struct segman_result r;
    bool skipped;
    uint8_t *kept = malloc(W * H);
    uint32_t seed = 4, noise = 9, n_skipped = 0;
    CU_ASSERT_TRUE_FATAL(past_init(&p, params));
    size_t n = (size_t)p.n_crops * p.classes * p.cells;
    float *logits = malloc(n * sizeof(*logits));
    for (uint32_t frame = 0; frame < 24; frame++) {
        bool moves = frame % 6 == 4;
        draw(80 + (frame + 2) / 6, 100, 140, 3, &noise); /* an edge of 40 levels moves by a pixel now and then */
        random_logits(logits, n, &seed);
        if (frame == 20)
            past_reset(&p);
        CU_ASSERT_TRUE(past_run(&p, rgba, logits, &r, &skipped));
        CU_ASSERT_EQUAL(r.skipped, skipped);
        CU_ASSERT_FALSE(r.skipped && (moves || !frame || frame == 20));
        n_skipped += r.skipped;
        for (uint32_t y = 0; r.skipped && y < H; y++)
            CU_ASSERT_FALSE(memcmp(kept + y * W, r.labels + y * r.labels_stride, W));
        for (uint32_t y = 0; y < H; y++)
            memcpy(kept + y * W, r.labels + y * r.labels_stride, W);
    }
    CU_ASSERT(n_skipped >= 12);
    free(kept);
    free(logits);
    past_finish(&p);
}

static void test_skipping(void)
{
    struct rig_params p = standard;
    p.skip_still = true;
    p.still_threshold = 4;
    p.classes = 12;
    check_skipping(&p);
    p.f16 = true;
    p.smooth = 0.5f;
    check_skipping(&p);
    p.crop_w = p.crop_h = 64;
    p.stride = 48;
    check_skipping(&p);
    p.smooth = 0;
    check_skipping(&p);
}

/* As on a GPU with memory of its own. */
static void test_staged(void)
{
    struct gpu_caps *caps = (struct gpu_caps *)gpu_caps(rig_gpu);
    bool unified = caps->unified_memory;
    caps->unified_memory = false;
    test_skipping();
    test_evidence_crops();
    caps->unified_memory = unified;
}

/* Motion too slow to show between two frames adds up. */
static void test_drift(void)
{
    struct past p;
    struct segman_result r;
    struct rig_params params = standard;
    bool skipped;
    float logits[5 * 240] = {0};
    uint32_t seed = 1, run = 0;
    params.skip_still = true;
    params.still_threshold = 4;
    CU_ASSERT_TRUE_FATAL(past_init(&p, &params) && p.cells == 240);
    for (uint32_t frame = 0; frame < 40; frame++) {
        draw(80, 50 + frame * 0.5, 50 + frame * 0.5, 0, &seed);
        CU_ASSERT_TRUE(past_run(&p, rgba, logits, &r, &skipped));
        run += !r.skipped;
    }
    CU_ASSERT(run >= 4 && run <= 6);
    past_finish(&p);
}

/* ---- flicker and lag -------------------------------------------------------------------------------------- */

struct figures {
    double flicker; /* share of pixels with another label than in the frame before */
    double lag;     /* pixels that the mask's edge is behind the true one, mean over frames and rows */
    double worst;   /* the largest of a frame */
};

/* Mean column where label 0 ends. */
static double edge(const struct segman_result *r)
{
    uint32_t sum = 0;
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++)
            sum += r->labels[y * r->labels_stride + x] == 0;
    return sum / (double)H;
}

static struct figures measure(float smooth, double speed, double contrast, double picture_noise, double logit_noise)
{
    struct past p;
    struct segman_result r;
    struct rig_params params = standard;
    struct figures f = {0};
    bool skipped;
    uint8_t before[W * H] = {0};
    uint32_t seed = 6, noise = 7, frames = 24, changed = 0;
    params.classes = 2;
    params.smooth = smooth;
    CU_ASSERT_TRUE_FATAL(past_init(&p, &params));
    float *logits = malloc(2 * p.cells * sizeof(*logits));
    for (uint32_t frame = 0; frame < frames; frame++) {
        double x = 40 + speed * frame;
        draw(x, 100, 100 + contrast, picture_noise, &noise);
        know(logits, &p, x, 16, logit_noise, &seed);
        CU_ASSERT_TRUE(past_run(&p, rgba, logits, &r, &skipped));
        for (uint32_t i = 0; i < W * H; i++) {
            uint8_t label = r.labels[i / W * r.labels_stride + i % W];
            changed += frame >= frames / 2 && label != before[i];
            before[i] = label;
        }
        double behind = x - edge(&r);
        f.lag += frame ? behind / (frames - 1) : 0;
        f.worst = fabs(behind) > fabs(f.worst) ? behind : f.worst;
    }
    f.flicker = changed / ((frames - frames / 2) * (double)W * H);
    free(logits);
    past_finish(&p);
    return f;
}

static void test_flicker(void)
{
    static const float smooth[] = {0.5f, 0.8f, 0.9f};
    static const double factor[] = {1.8, 5, 8};
    struct figures plain = measure(0, 0, 60, 4, 0.4);
    CU_ASSERT(plain.flicker > 0.005);
    for (size_t i = 0; i < COUNT(smooth); i++) {
        struct figures f = measure(smooth[i], 0, 60, 4, 0.4), slow = measure(smooth[i], 0.5, 40, 0, 0);
        printf("\n    still scene, noisy logits: %.3f%% of the pixels change label, smoothed by %g %.3f%%; slow edge %.2f behind ",
               100 * plain.flicker, (double)smooth[i], 100 * f.flicker, slow.lag);
        CU_ASSERT(f.flicker < plain.flicker / factor[i]);
    }
}

static void test_lag(void)
{
    static const double speeds[] = {0.5, 1, 2, 4}, contrasts[] = {12, 20, 40, 100};
    for (size_t c = 0; c < COUNT(contrasts); c++)
        for (size_t s = 0; s < COUNT(speeds); s++) {
            struct figures plain = measure(0, speeds[s], contrasts[c], 0, 0), smooth = measure(0.8f, speeds[s], contrasts[c], 0, 0);
            printf("\n    edge of %g levels at %g pixels a frame: smoothed %.2f behind (worst %.2f), plain %.2f ", contrasts[c], speeds[s],
                   smooth.lag, smooth.worst, plain.lag);
            CU_ASSERT(fabs(plain.lag) < 0.5);
            CU_ASSERT(fabs(smooth.lag) < (contrasts[c] >= 40 ? 1 : 4) && fabs(smooth.worst) < 4);
        }
}

static void test_validation(void)
{
    CU_ASSERT_EQUAL(gpu_validation_messages(rig_gpu), 0);
}

int main(void)
{
    struct segman_error error = {0};
    const struct segman_context_params params = {.validation = true};
    rig_gpu = gpu_create(&params, &error);
    if (!rig_gpu) {
        fprintf(stderr, "%s\n", error.message);
        return error.status == SEGMAN_ERROR_NO_DEVICE ? 77 : 1;
    }
    static CU_TestInfo tests[] = {
        {"evidence", test_evidence},
        {"evidence of crops", test_evidence_crops},
        {"labels", test_labels},
        {"still frames", test_skipping},
        {"staged", test_staged},
        {"drift", test_drift},
        {"flicker", test_flicker},
        {"lag", test_lag},
        {"validation is silent", test_validation},
        CU_TEST_INFO_NULL,
    };
    int bad = runner_run("temporal", tests);
    gpu_destroy(rig_gpu);
    return bad;
}
