/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flicker, lag and skipped frames with the bundled model on pictures of the bundled clip: test_clip MODEL CLIP [SIDE [FRAMES]].
 * The labels without smoothing are made here of the network's logits (a tap), by the reference: each frame runs once.
 */
#include "../runner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline.h"
#include "tests/frame/ref.h"

#define SMOOTH 0.8f
#define STILL  4
#define FLIGHT 3
#define STEP   12 /* pixels of the frame that the cut-out moves a frame */

static struct {
    const char *model_path, *clip;
    uint32_t side, frames; /* of the network's input; of a measurement */
    struct segman_context *context;
    struct segman_model *model;
    uint32_t w, h, person;  /* size of the picture; label */
    uint8_t *picture, *cut; /* RGBA: the clip's first frame; where it shows a person: alpha 255 */
} scene;

/* ---- pictures ------------------------------------------------------------------------------------- */

static bool read_picture(struct segman_error *error)
{
    const struct pipe_source_params params = {.input = scene.clip, .video_only = true};
    struct pipe_frame frame;
    struct pipe_source *source = pipe_source_open(&params, error);
    bool ok = source && pipe_source_read(source, &frame, error) == PIPE_FRAME;
    if (!ok)
        goto done;
    scene.w = frame.format.width;
    scene.h = frame.format.height;
    scene.picture = malloc((size_t)scene.w * scene.h * 4);
    struct segman_planes planes = {0};
    for (int i = 0; i < 3; i++) {
        planes.plane[i] = (uint8_t *)frame.plane[i];
        planes.stride[i] = frame.stride[i];
    }
    for (uint32_t i = 0; i < scene.w * scene.h; i++) {
        double rgb[3];
        ref_rgb(&frame.format, &planes, i % scene.w, i / scene.w, rgb);
        for (uint32_t k = 0; k < 4; k++)
            scene.picture[4 * i + k] = k == 3 ? 255 : (uint8_t)(rgb[k] + 0.5);
    }
    pipe_frame_release(&frame);
done:
    pipe_source_destroy(source);
    return ok;
}

static double normal(uint32_t *seed)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        sum += (*seed >> 16) / 65536.0;
    }
    return sum;
}

/* The picture with a sensor's noise (grows with the light: 3 levels in black, 7 in white) and the cut-out moved right. */
static void draw(const struct segman_planes *to, uint32_t moved, bool with_cut, double noise, uint32_t *seed)
{
    for (uint32_t y = 0; y < scene.h; y++)
        for (uint32_t x = 0; x < scene.w; x++) {
            const uint8_t *from = scene.picture + 4 * ((size_t)y * scene.w + x);
            const uint8_t *cut = with_cut && x >= moved ? scene.cut + 4 * ((size_t)y * scene.w + x - moved) : NULL;
            uint8_t *out = to->plane[0] + (size_t)y * to->stride[0] + 4 * (size_t)x;
            for (uint32_t k = 0; k < 4; k++) {
                double v = cut && cut[3] ? cut[k] : from[k];
                v += noise > 0 && k < 3 ? noise * sqrt(9 + v * 40 / 255) * normal(seed) : 0;
                out[k] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
            }
        }
}

/* ---- a session ------------------------------------------------------------------------------------ */

static struct segman_session *open_session(float smooth, bool skip, bool slide)
{
    static const char *const taps[] = {"logits"};
    struct segman_error error = {0};
    const struct segman_session_params params = {
        .frame = {SEGMAN_FORMAT_RGBA, scene.w, scene.h, 0, SEGMAN_RANGE_FULL, 0},
        .net_width = scene.side + (slide ? 32 : 0),
        .net_height = scene.side,
        .crop = slide ? scene.side : 0,
        .stride = slide ? 32 : 0,
        .slots = FLIGHT,
        .smooth = smooth,
        .skip_still = skip,
        .still_threshold = STILL,
        .taps = taps,
        .n_taps = 1,
    };
    struct segman_session *s = segman_session_create(scene.model, &params, &error);
    if (!s)
        fprintf(stderr, "%s\n", error.message);
    return s;
}

/* Labels of the network's own logits. */
static bool plain_labels(struct segman_session *s, uint8_t *labels)
{
    struct segman_error error = {0};
    uint32_t shape[3];
    float *logits;
    double v[SEGMAN_MAX_CLASSES];
    if (!segman_session_tap(s, "logits", shape, &logits, &error))
        return false;
    const struct ref_crop crop = {logits, 0, 0};
    const struct ref_logits l = {shape[0], shape[2], shape[1], scene.side, scene.side, scene.side, scene.side, &crop, 1};
    for (uint32_t i = 0; i < scene.w * scene.h; i++) {
        ref_logits_at(&l, scene.w, scene.h, i % scene.w, i / scene.w, v);
        labels[i] = 0;
        for (uint32_t c = 1; c < shape[0]; c++)
            labels[i] = v[c] > v[labels[i]] ? (uint8_t)c : labels[i];
    }
    free(logits);
    return true;
}

struct shot {
    uint32_t moved;
    bool with_cut;
    double noise;
    uint32_t *seed;
};

/* One frame; labels and plain (NULL: not wanted) are w * h. */
static bool run(struct segman_session *s, const struct shot *shot, uint8_t *labels, uint8_t *plain, struct segman_result *r)
{
    struct segman_error error = {0};
    struct segman_planes planes;
    if (!segman_session_begin(s, &planes, &error))
        goto fail;
    draw(&planes, shot->moved, shot->with_cut, shot->noise, shot->seed);
    if (!segman_session_submit(s, 0, &error) || !segman_session_wait(s, UINT64_MAX, r, &error))
        goto fail;
    for (uint32_t y = 0; y < scene.h; y++)
        memcpy(labels + (size_t)y * scene.w, r->labels + (size_t)y * r->labels_stride, scene.w);
    segman_session_release(s);
    return !plain || plain_labels(s, plain);
fail:
    fprintf(stderr, "%s\n", error.message);
    return false;
}

static double unlike(const uint8_t *a, const uint8_t *b)
{
    uint32_t n = scene.w * scene.h, sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += a[i] != b[i];
    return sum / (double)n;
}

static void copy(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, (size_t)scene.w * scene.h);
}

static uint8_t *map(void)
{
    return calloc(scene.h, scene.w);
}

/* ---- measurements -------------------------------------------------------------------------------------- */

/* The second half of the frames counts: before, the average gathers its past. */
static void test_flicker(void)
{
    struct segman_session *s = open_session(SMOOTH, false, false);
    uint8_t *now = map(), *plain = map(), *before = map(), *plain_before = map();
    uint32_t seed = 1, counted = 0;
    double flicker = 0, plain_flicker = 0;
    struct segman_result r;
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    for (uint32_t i = 0; i < scene.frames; i++) {
        const struct shot shot = {.noise = 1, .seed = &seed};
        CU_ASSERT_TRUE_FATAL(run(s, &shot, now, plain, &r));
        if (i >= scene.frames / 2) {
            flicker += unlike(now, before);
            plain_flicker += unlike(plain, plain_before);
            counted++;
        }
        copy(before, now);
        copy(plain_before, plain);
    }
    printf("\n    pixels that change label a frame of a still scene: %.3f%%, smoothed %.3f%% ", 100 * plain_flicker / counted,
           100 * flicker / counted);
    CU_ASSERT(plain_flicker > 0 && flicker < plain_flicker / 3);
    free(now);
    free(plain);
    free(before);
    free(plain_before);
    segman_session_destroy(s);
}

/* Frames in flight together have the labels of frames run one by one. */
static void test_in_flight(void)
{
    struct segman_session *one = open_session(SMOOTH, true, false), *all = open_session(SMOOTH, true, false);
    uint8_t *labels[FLIGHT];
    struct segman_error error = {0};
    struct segman_planes planes;
    struct segman_result r;
    uint32_t seed = 1, same = 1;
    bool skipped[FLIGHT], ok = one && all;
    for (uint32_t i = 0; ok && i < FLIGHT; i++) {
        const struct shot shot = {.moved = 3 * (i / 2), .with_cut = true, .noise = 0.7, .seed = &seed};
        labels[i] = map();
        ok = run(one, &shot, labels[i], NULL, &r) && segman_session_begin(all, &planes, &error);
        skipped[i] = r.skipped;
        draw(&planes, shot.moved, true, shot.noise, &same);
        ok = ok && segman_session_submit(all, 0, &error);
    }
    for (uint32_t i = 0; ok && i < FLIGHT; i++) {
        ok = segman_session_wait(all, UINT64_MAX, &r, &error) && r.skipped == skipped[i] && r.skipped == (i == 1);
        for (uint32_t y = 0; ok && y < scene.h; y++)
            ok = !memcmp(labels[i] + (size_t)y * scene.w, r.labels + (size_t)y * r.labels_stride, scene.w);
        segman_session_release(all);
        free(labels[i]);
    }
    CU_ASSERT_TRUE(ok);
    segman_session_destroy(one);
    segman_session_destroy(all);
}

/* The clip's person, cut out by its own mask, crosses the still picture. */
static bool cut_person(void)
{
    struct segman_session *s = open_session(0, false, false);
    const struct segman_dataset *d = segman_model_dataset(scene.model);
    uint8_t *labels = map();
    uint32_t seed = 1, found = 0;
    struct segman_result r;
    const struct shot shot = {.seed = &seed};
    bool ok = s && d && run(s, &shot, labels, NULL, &r);
    scene.cut = calloc((size_t)scene.w * scene.h, 4);
    for (uint32_t i = 0; ok && i < scene.w * scene.h; i++)
        if (!strcmp(d->class_names[labels[i]], "person")) {
            scene.person = labels[i];
            memcpy(scene.cut + 4 * (size_t)i, scene.picture + 4 * (size_t)i, 4);
            found++;
        }
    free(labels);
    segman_session_destroy(s);
    return ok && found > 1000;
}

/* Where the picture shows a person: the cut-out, and the one it was cut from. */
static void truth(uint32_t moved, uint8_t *out)
{
    for (uint32_t i = 0; i < scene.w * scene.h; i++)
        out[i] = scene.cut[4 * (size_t)i + 3] || (i % scene.w >= moved && scene.cut[4 * (size_t)(i - moved) + 3]);
}

struct lag {
    double iou;    /* of the person with the truth, mean over frames */
    double ghost;  /* share of the pixels that the person has just left which still show it */
    double behind; /* share of pixels unlike the unsmoothed frame before */
    double apart;  /* share of pixels unlike the unsmoothed frame */
};

static void add_lag(struct lag *l, const uint8_t *now, const uint8_t *plain, const uint8_t *before, const uint8_t *is, const uint8_t *was)
{
    uint32_t both = 0, either = 0, left = 0, ghost = 0;
    for (uint32_t i = 0; i < scene.w * scene.h; i++) {
        bool shown = now[i] == scene.person, gone = was[i] && !is[i];
        both += shown && is[i];
        either += shown || is[i];
        left += gone;
        ghost += gone && shown;
    }
    l->iou += both / fmax(either, 1) / (scene.frames - 1);
    l->ghost += ghost / fmax(left, 1) / (scene.frames - 1);
    l->behind += unlike(now, before) / (scene.frames - 1);
    l->apart += unlike(now, plain) / (scene.frames - 1);
}

static void measure_lag(struct segman_session *s, struct lag *plain_lag, struct lag *lag)
{
    uint8_t *now = map(), *plain = map(), *before = map(), *is = map(), *was = map();
    uint32_t seed = 1;
    struct segman_result r;
    for (uint32_t i = 0; i < scene.frames; i++) {
        const struct shot shot = {.moved = STEP * i, .with_cut = true, .noise = 0.3, .seed = &seed};
        CU_ASSERT_TRUE_FATAL(run(s, &shot, now, plain, &r));
        truth(shot.moved, is);
        if (i) {
            add_lag(plain_lag, plain, plain, before, is, was);
            add_lag(lag, now, plain, before, is, was);
        }
        copy(before, plain);
        copy(was, is);
    }
    free(now);
    free(plain);
    free(before);
    free(is);
    free(was);
}

static void test_lag(void)
{
    struct segman_session *s = open_session(SMOOTH, false, false);
    struct lag plain = {0}, smooth = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    measure_lag(s, &plain, &smooth);
    printf("\n    moving person: IoU with the truth %.4f, smoothed %.4f;"
           "\n    still shown where it has just left: %.2f%%, smoothed %.2f%%;"
           "\n    pixels unlike the unsmoothed frame before: %.3f%%, smoothed %.3f%%; unlike its own unsmoothed frame: %.3f%% ",
           plain.iou, smooth.iou, 100 * plain.ghost, 100 * smooth.ghost, 100 * plain.behind, 100 * smooth.behind, 100 * smooth.apart);
    CU_ASSERT(smooth.iou > plain.iou - 0.01);
    CU_ASSERT(smooth.ghost < plain.ghost + 0.05);
    CU_ASSERT(smooth.apart < smooth.behind / 2); /* it belongs to its own frame, not to the one before */
    segman_session_destroy(s);
}

/* ---- skipping ---------------------------------------------------------------------------------------------- */

static void test_skip(void)
{
    struct segman_session *s = open_session(0, true, false), *all = open_session(0, false, false);
    static const uint32_t moved[] = {0, 0, 0, 2, 2, 40};
    static const bool skipped[] = {false, true, true, false, true, false};
    uint8_t *now = map(), *before = map(), *want = map();
    uint32_t seed = 1;
    struct segman_result r, ignored;
    CU_ASSERT_FATAL(s && all);
    for (uint32_t i = 0; i < sizeof(moved) / sizeof(*moved); i++) {
        uint32_t same = seed;
        const struct shot shot = {.moved = moved[i], .with_cut = true, .noise = 0.7, .seed = &seed};
        const struct shot again = {.moved = moved[i], .with_cut = true, .noise = 0.7, .seed = &same};
        CU_ASSERT_TRUE_FATAL(run(s, &shot, now, NULL, &r));
        printf("\n    moved %u: largest difference %.2f, %.1f ms ", moved[i], (double)r.change, r.gpu_ms);
        CU_ASSERT_EQUAL(r.skipped, skipped[i]);
        if (r.skipped)
            CU_ASSERT(unlike(now, before) == 0);
        if (i == 3) { /* a frame that runs has the labels that it has without skipping */
            CU_ASSERT_TRUE_FATAL(run(all, &again, want, NULL, &ignored));
            CU_ASSERT(unlike(now, want) == 0);
        }
        copy(before, now);
    }
    free(now);
    free(before);
    free(want);
    segman_session_destroy(s);
    segman_session_destroy(all);
}

static void test_skip_crops(void)
{
    struct segman_session *s = open_session(SMOOTH, true, true);
    uint8_t *now = map(), *before = map();
    uint32_t seed = 1;
    struct segman_result r;
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    for (uint32_t i = 0; i < 3; i++) {
        const struct shot shot = {.noise = 0.5, .seed = &seed};
        if (i == 2)
            segman_session_reset_history(s);
        CU_ASSERT_TRUE_FATAL(run(s, &shot, now, NULL, &r));
        CU_ASSERT_EQUAL(r.skipped, i == 1);
        CU_ASSERT(i != 1 || unlike(now, before) == 0);
        copy(before, now);
    }
    free(now);
    free(before);
    segman_session_destroy(s);
}

static void test_validation(void)
{
    CU_ASSERT_EQUAL(segman_context_validation_messages(scene.context), 0);
}

/* ---- all ------------------------------------------------------------------------------------------------------ */

static bool open_all(struct segman_error *error)
{
    const struct segman_context_params params = {.validation = true};
    scene.context = segman_context_create(&params, error);
    if (!scene.context)
        return false;
    scene.model = segman_model_open(scene.context, scene.model_path, error);
    return scene.model && pipe_init(error) && read_picture(error) &&
           (cut_person() || segman_fail(error, SEGMAN_ERROR_FORMAT, "There is nobody in the picture"));
}

int main(int argc, char **argv)
{
    struct segman_error error = {0};
    if (argc < 3)
        return 1;
    scene.model_path = argv[1];
    scene.clip = argv[2];
    scene.side = argc > 3 ? (uint32_t)atoi(argv[3]) : 224;
    scene.frames = argc > 4 ? (uint32_t)atoi(argv[4]) : 6;
    if (!open_all(&error)) {
        fprintf(stderr, "%s\n", error.message);
        return error.status == SEGMAN_ERROR_NO_DEVICE ? 77 : 1;
    }
    static CU_TestInfo tests[] = {
        {"flicker", test_flicker},   {"frames in flight", test_in_flight},       {"lag", test_lag},
        {"still frames", test_skip}, {"still frames of crops", test_skip_crops}, {"validation is silent", test_validation},
        CU_TEST_INFO_NULL,
    };
    int bad = runner_run("temporal, with the bundled model", tests);
    segman_model_destroy(scene.model);
    segman_context_destroy(scene.context);
    free(scene.picture);
    free(scene.cut);
    return bad;
}
