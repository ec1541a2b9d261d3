/* SPDX-License-Identifier: Apache-2.0 */
/* Cameras that work: formats that they may have, and the mailbox. */
#include "fake_camera.h"
#include "suites.h"

#include <string.h>

#define RAW(format) "video/x-raw, format=" format ", width=64, height=48, framerate=(fraction)[ 1/1, 200/1 ]"

static struct fake_camera cameras[] = {
    {.name = "NV12", .serial = "s-nv12", .caps = RAW("NV12"), .plugged = true},
    {.name = "I420", .serial = "s-i420", .caps = RAW("I420"), .plugged = true},
    {.name = "BGRx", .serial = "s-bgrx", .caps = RAW("BGRx"), .plugged = true},
    {.name = "YUY2", .serial = "s-yuy2", .caps = RAW("YUY2"), .plugged = true},
    {.name = "MJPEG",
     .serial = "s-mjpeg",
     .caps = "image/jpeg, width=64, height=48, framerate=30/1",
     .encoder = "jpegenc",
     .plugged = true},
    {.name = "H264",
     .serial = "s-h264",
     .caps = "video/x-h264, width=64, height=48, framerate=30/1",
     .encoder = "x264enc",
     .plugged = true},
    {0},
};

static struct pipe_source *open_camera(const char *input, uint32_t rate)
{
    struct segman_error error = {0};
    struct pipe_source *source = pipe_source_open(
        &(struct pipe_source_params){.input = input, .camera_width = 64, .camera_height = 48, .camera_rate = rate}, &error);
    if (!source)
        fprintf(stderr, "%s: %s\n", input, error.message);
    return source;
}

static void check_format(const char *input, enum segman_pixel_format format)
{
    struct pipe_source *source = open_camera(input, 30);
    const struct pipe_source_info *info;
    struct pipe_live_state state;

    CU_ASSERT(source != NULL);
    if (!source)
        return;
    info = pipe_source_info(source);
    CU_ASSERT(info->kind == PIPE_KIND_LIVE && info->frames == -1 && info->duration_ns == -1);
    CU_ASSERT(info->format.format == format && info->format.width == 64 && info->format.height == 48);
    CU_ASSERT(read_frames(source, 5, 10) == 5);
    CU_ASSERT(pipe_source_live_state(source, &state) && !state.lost && state.received >= 5);
    CU_ASSERT(strstr(state.camera_id, "s-") == state.camera_id);
    CU_ASSERT(pipe_source_corrupt(source) == 0);
    pipe_source_destroy(source);
}

static void test_formats(void)
{
    fake_cameras(cameras);
    check_format("camera:NV12", SEGMAN_FORMAT_NV12);
    check_format("camera:I420", SEGMAN_FORMAT_I420);
    check_format("camera:BGRx", SEGMAN_FORMAT_BGRX);
    check_format("camera:s-yuy2", SEGMAN_FORMAT_I420);
    check_format("camera:MJPEG", SEGMAN_FORMAT_I420);
    check_format("camera", SEGMAN_FORMAT_BGRX); /* the first one in order of IDs */
    if (gst_registry_check_feature_version(gst_registry_get(), "x264enc", 1, 0, 0))
        check_format("camera:H264", SEGMAN_FORMAT_I420);
}

/*
 * A reader that takes 20 ms for a frame of a camera that has one every 5 ms: whatever it reads is the newest one,
 * so that it is never older than the camera's interval and some scheduling, from the first frame to the last.
 */
static void test_mailbox(void)
{
    enum { READS = 210, SLACK_MS = 150 };
    struct pipe_source *source;
    struct pipe_live_state state;
    double worst = 0, sum = 0;
    unsigned late = 0;

    fake_cameras(cameras);
    source = open_camera("camera:NV12", 200);
    CU_ASSERT_FATAL(source != NULL);
    for (int i = 0; i < READS; i++) {
        struct pipe_frame frame;
        struct segman_error error;
        double age;
        CU_ASSERT_FATAL(pipe_source_read(source, &frame, &error) == PIPE_FRAME);
        age = (double)(g_get_monotonic_time() * 1000 - frame.captured_ns) / 1e6;
        CU_ASSERT(age >= 0);
        CU_ASSERT(frame.index == (uint64_t)i);
        worst = MAX(worst, age);
        sum += age;
        late += age > 15;
        pipe_frame_release(&frame);
        g_usleep(20000);
    }
    CU_ASSERT(worst < SLACK_MS);
    CU_ASSERT(sum / READS < 15); /* a queue of only four would be at 20 ms or more */
    CU_ASSERT(late < READS / 10);
    CU_ASSERT(pipe_source_live_state(source, &state));
    CU_ASSERT(state.replaced > READS);
    /* Every frame was read, or replaced, or is the one in the mailbox, or in the queue before it. */
    CU_ASSERT(state.received - state.replaced >= READS && state.received - state.replaced <= READS + 2);
    pipe_source_destroy(source);
}

static void test_timeout(void)
{
    struct pipe_source *source;
    struct pipe_frame frame;
    struct segman_error error;
    int64_t start;

    fake_cameras(cameras);
    source = open_camera("camera:NV12", 2);
    CU_ASSERT_FATAL(source != NULL);
    CU_ASSERT(pipe_source_read_timeout(source, 0, &frame, &error) == PIPE_FRAME); /* the one it was opened with */
    pipe_frame_release(&frame);
    CU_ASSERT(pipe_source_read_timeout(source, 0, &frame, &error) == PIPE_TIMEOUT);
    start = g_get_monotonic_time();
    CU_ASSERT(pipe_source_read_timeout(source, 100000000, &frame, &error) == PIPE_TIMEOUT);
    CU_ASSERT(seconds_since(start) >= 0.09 && seconds_since(start) < 0.4);
    CU_ASSERT(pipe_source_read_timeout(source, 5000000000, &frame, &error) == PIPE_FRAME);
    pipe_frame_release(&frame);
    pipe_source_stop(source);
    CU_ASSERT(pipe_source_read(source, &frame, &error) == PIPE_STOPPED);
    pipe_source_destroy(source);
}

static void test_file_timeout(void)
{
    struct segman_error error;
    struct pipe_source *source = pipe_source_open(&(struct pipe_source_params){.input = "test:64x48@30:3"}, &error);
    struct pipe_live_state state;
    struct pipe_frame frame;

    CU_ASSERT_FATAL(source != NULL);
    CU_ASSERT(!pipe_source_live_state(source, &state));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(read_within(source, 5, &frame, &error, NULL) == PIPE_FRAME);
        CU_ASSERT(frame.captured_ns == -1);
        pipe_frame_release(&frame);
    }
    CU_ASSERT(read_within(source, 5, &frame, &error, NULL) == PIPE_END);
    pipe_source_destroy(source);
}

void add_camera_suite(void)
{
    CU_pSuite suite = CU_add_suite("camera", NULL, NULL);
    CU_add_test(suite, "raw and compressed formats", test_formats);
    CU_add_test(suite, "a slow reader gets the newest frame", test_mailbox);
    CU_add_test(suite, "reading with a time limit, and stop", test_timeout);
    CU_add_test(suite, "files with a time limit", test_file_timeout);
}
