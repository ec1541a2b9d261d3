/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers in lists of their own, several frames in flight: results as with one list a frame, and a submission that fails
 * leaves nothing behind that hangs. On a device with one queue all lists go there; the semaphores between them are the same. So do
 * networks that run at once, each with its own activations.
 */
#include "../runner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vulkan.h>

#include "vk/context.h"
#include "vk/gpu/gpu.h"

#define SIDE   224
#define FRAMES 6
#define LABELS ((size_t)SIDE * SIDE)
#define VIEW   (4 * LABELS)

static struct segman_context *context;
static struct segman_model *model;

/* ---- failing submissions ------------------------------------------------------------------------------ */

static int fail_at = -1; /* submissions until one fails; negative: none does */
static VkResult failure;

VkResult __real_vkQueueSubmit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *info, VkFence fence);
VkResult __wrap_vkQueueSubmit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *info, VkFence fence);

VkResult __wrap_vkQueueSubmit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *info, VkFence fence)
{
    if (fail_at >= 0 && fail_at-- == 0)
        return failure;
    return __real_vkQueueSubmit2(queue, count, info, fence);
}

/* ---- sessions ------------------------------------------------------------------------------------------- */

struct layout {
    bool staged, upload, read_back; /* memory is not unified even where it is; which transfers have a queue */
    uint32_t slots, parallel;
    bool skip_still, profile, present;
    enum segman_pixel_format format;
};

/* The capabilities are the device's own again afterwards. */
static struct segman_session *open_session(const struct layout *l)
{
    struct gpu_caps *caps = (struct gpu_caps *)gpu_caps(context->gpu);
    struct segman_error error = {0};
    const struct gpu_caps own = *caps;
    const struct segman_session_params params = {
        .frame = {.format = l->format, .width = SIDE, .height = SIDE},
        .net_width = SIDE,
        .net_height = SIDE,
        .slots = l->slots,
        .parallel = l->parallel,
        .view = SEGMAN_VIEW_OVERLAY,
        .view_format = l->format,
        .confidence = true,
        .skip_still = l->skip_still,
        .profile = l->profile,
        .present = l->present,
    };
    caps->unified_memory = own.unified_memory && !l->staged;
    caps->parallel = l->parallel > 1 ? l->parallel : 1;
    caps->beside[GPU_QUEUE_UPLOAD] = l->upload;
    caps->beside[GPU_QUEUE_READBACK] = l->read_back;
    struct segman_session *s = segman_session_create(model, &params, &error);
    *caps = own;
    if (!s)
        fprintf(stderr, "%s\n", error.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    return s;
}

static void fill(const struct segman_planes *p, uint32_t frame)
{
    uint32_t state = 7 * frame + 1;
    for (uint32_t i = 0; i < 3; i++)
        for (size_t k = 0; p->plane[i] && k < (size_t)p->stride[i] * p->rows[i]; k++) {
            state = state * 1664525u + 1013904223u;
            p->plane[i][k] = (uint8_t)((k >> 4) * (frame + 1) + (state >> 28));
        }
}

static bool begin(struct segman_session *s, uint32_t frame, struct segman_error *error)
{
    struct segman_planes planes;
    struct segman_style style;
    if (!segman_session_begin(s, &planes, error))
        return false;
    fill(&planes, frame);
    segman_style_default(&style, model, NULL);
    style.opacity = 0.1f * (float)frame; /* the style goes with its frame */
    segman_session_set_style(s, &style);
    return segman_session_submit(s, frame, error);
}

static bool finish(struct segman_session *s, uint8_t *labels, uint8_t *view, struct segman_error *error)
{
    struct segman_result r;
    if (!segman_session_wait(s, UINT64_MAX, &r, error))
        return false;
    for (size_t y = 0; labels && y < SIDE; y++) {
        memcpy(labels + (size_t)r.user * LABELS + y * SIDE, r.labels + y * r.labels_stride, SIDE);
        memcpy(view + (size_t)r.user * VIEW + y * r.view.bytes[0], r.view.plane[0] + y * r.view.stride[0], r.view.bytes[0]);
    }
    CU_ASSERT(r.gpu_ms >= 0 && r.upload_ms >= 0 && r.read_back_ms >= 0);
    segman_session_release(s);
    return true;
}

/* Keeps as many frames in flight as there are slots. */
static bool run(const struct layout *l, uint8_t *labels, uint8_t *view)
{
    struct segman_error error = {0};
    struct segman_session *s = open_session(l);
    bool ok = true;
    uint32_t done = 0;
    memset(labels, 0xee, FRAMES * LABELS);
    memset(view, 0xee, FRAMES * VIEW);
    for (uint32_t i = 0; ok && i < FRAMES; i++) {
        if (i - done == l->slots)
            ok = finish(s, labels, view, &error), done++;
        ok = ok && begin(s, i, &error);
    }
    for (; ok && done < FRAMES; done++)
        ok = finish(s, labels, view, &error);
    if (!ok)
        fprintf(stderr, "%s\n", error.message);
    segman_session_destroy(s);
    return ok;
}

static void compare(enum segman_pixel_format format)
{
    const struct layout plain = {.slots = 1, .format = format};
    const struct layout layouts[] = {
        {.staged = true, .slots = 3, .format = format},
        {.staged = true, .upload = true, .slots = 2, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 3, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 2, .profile = true, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 2, .present = true, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 2, .skip_still = true, .format = format},
        {.slots = 2, .parallel = 2, .format = format},
        {.staged = true, .slots = 3, .parallel = 2, .profile = true, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 4, .parallel = 2, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 5, .parallel = 3, .format = format},
        {.staged = true, .upload = true, .read_back = true, .slots = 2, .parallel = 2, .skip_still = true, .format = format},
    };
    uint8_t *want = malloc(FRAMES * (LABELS + VIEW)), *got = malloc(FRAMES * (LABELS + VIEW));
    CU_ASSERT_TRUE(run(&plain, want, want + FRAMES * LABELS));
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        CU_ASSERT_TRUE(run(&layouts[i], got, got + FRAMES * LABELS));
        CU_ASSERT(memcmp(got, want, FRAMES * (LABELS + VIEW)) == 0);
    }
    free(want);
    free(got);
}

static void test_rgb(void)
{
    compare(SEGMAN_FORMAT_RGBA);
}

static void test_nv12(void)
{
    compare(SEGMAN_FORMAT_NV12);
}

static uint32_t parallel_of(const struct layout *l, struct segman_memory_info *memory)
{
    struct segman_session *s = open_session(l);
    uint32_t parallel = segman_session_parallel(s);
    segman_session_memory(s, memory);
    segman_session_destroy(s);
    return parallel;
}

static void test_parallel(void)
{
    struct segman_memory_info one, two, other;
    CU_ASSERT_EQUAL(parallel_of(&(struct layout){.slots = 2}, &one), 1);
    CU_ASSERT_EQUAL(parallel_of(&(struct layout){.slots = 2, .parallel = 2}, &two), 2);
    CU_ASSERT(two.arena == 2 * one.arena && two.weights == one.weights && two.frames >= one.frames);
    CU_ASSERT_EQUAL(parallel_of(&(struct layout){.slots = 2, .parallel = 4}, &other), 2);
    CU_ASSERT_EQUAL(parallel_of(&(struct layout){.slots = 0, .parallel = 4}, &other), 4);
    CU_ASSERT_EQUAL(parallel_of(&(struct layout){.slots = 2, .parallel = 2, .skip_still = true}, &other), 1);
    CU_ASSERT_EQUAL(parallel_of(&(struct layout){.slots = 2, .parallel = 2, .present = true}, &other), 1);
}

/* An overlay that makes all tracks' passes anew, between frames in flight, and goes with its frames. */
static void test_parallel_overlay(void)
{
    const struct layout l = {.staged = true, .slots = 4, .parallel = 2};
    struct segman_error error = {0};
    struct segman_session *s = open_session(&l);
    uint8_t *rgba = malloc(VIEW), *labels = malloc(FRAMES * (LABELS + VIEW)), *view = labels + FRAMES * LABELS;
    memset(rgba, 0xff, VIEW);
    const struct segman_overlay overlay = {.rgba = rgba, .width = SIDE, .height = SIDE, .stride = 4 * SIDE};
    CU_ASSERT_TRUE(begin(s, 0, &error) && begin(s, 1, &error));
    CU_ASSERT_TRUE(segman_session_set_overlay(s, &overlay, &error));
    CU_ASSERT_TRUE(begin(s, 2, &error) && begin(s, 3, &error));
    for (uint32_t i = 0; i < 4; i++)
        CU_ASSERT_TRUE(finish(s, labels, view, &error));
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t white = 0;
        for (size_t k = 0; k < LABELS; k++)
            white += view[i * VIEW + 4 * k] == 255 && view[i * VIEW + 4 * k + 1] == 255;
        CU_ASSERT(i < 2 ? white < LABELS : white == LABELS);
    }
    segman_session_destroy(s);
    free(labels);
    free(rgba);
}

/* A session with a frame in flight, and a second one whose n-th list was refused. */
static struct segman_session *refuse(int n, VkResult result, enum segman_status expected)
{
    const struct layout l = {.staged = true, .upload = true, .read_back = true, .slots = 2};
    struct segman_error error = {0};
    struct segman_session *s = open_session(&l);
    failure = result;
    CU_ASSERT_TRUE(begin(s, 0, &error));
    fail_at = n;
    CU_ASSERT_FALSE(begin(s, 1, &error));
    CU_ASSERT_EQUAL(error.status, expected);
    return s;
}

/* The session goes on with a third frame. */
static void test_refused(void)
{
    for (int n = 0; n < 3; n++) {
        struct segman_error error = {0};
        struct segman_session *s = refuse(n, VK_ERROR_OUT_OF_HOST_MEMORY, SEGMAN_ERROR_MEMORY);
        CU_ASSERT_TRUE(begin(s, 2, &error));
        CU_ASSERT_TRUE(finish(s, NULL, NULL, &error) && finish(s, NULL, NULL, &error));
        segman_session_destroy(s);
    }
    fail_at = -1;
}

static void test_lost(void)
{
    for (int n = 0; n < 3; n++)
        segman_session_destroy(refuse(n, VK_ERROR_DEVICE_LOST, SEGMAN_ERROR_DEVICE_LOST)); /* with a frame in flight */
    fail_at = -1;
}

static void test_validation(void)
{
    CU_ASSERT_EQUAL(segman_context_validation_messages(context), 0);
}

int main(void)
{
    struct segman_error error = {0};
    const char *validate = getenv("SEGMAN_TEST_VALIDATION");
    const struct segman_context_params params = {.device = getenv("SEGMAN_DEVICE"), .validation = !validate || strcmp(validate, "0")};
    context = segman_context_create(&params, &error);
    model = context ? segman_model_open(context, "synthetic:t:7", &error) : NULL;
    if (!model) {
        fprintf(stderr, "%s\n", error.message);
        segman_context_destroy(context);
        return error.status == SEGMAN_ERROR_NO_DEVICE ? 77 : 1;
    }
    static CU_TestInfo tests[] = {
        {"RGB", test_rgb},
        {"NV12", test_nv12},
        {"networks at once", test_parallel},
        {"an overlay over networks at once", test_parallel_overlay},
        {"a submission is refused", test_refused},
        {"a submission finds the device lost", test_lost},
        {"validation is silent", test_validation},
        CU_TEST_INFO_NULL,
    };
    int bad = runner_run("queues", tests, NULL);
    segman_model_destroy(model);
    segman_context_destroy(context);
    return bad;
}
