/* SPDX-License-Identifier: Apache-2.0 */
/* Cameras that are busy, absent, unplugged, silent. */
#include "fake_camera.h"
#include "suites.h"

#include <math.h>
#include <string.h>

#define SMALL "video/x-raw, format=NV12, width=64, height=48, framerate=30/1"
#define LARGE "video/x-raw, format=NV12, width=128, height=96, framerate=30/1"

static struct fake_camera cameras[3];

static void reset(void)
{
    cameras[0] = (struct fake_camera){.name = "Desk Camera", .serial = "desk-1", .path = "/dev/fake0", .caps = SMALL, .plugged = true};
    cameras[1] = (struct fake_camera){.name = "Door Camera", .serial = "door-7", .path = "/dev/fake1", .caps = SMALL, .plugged = true};
    cameras[2] = (struct fake_camera){0};
    fake_cameras(cameras);
}

static struct pipe_source *open_desk(double reconnect_s, double stall_s, struct segman_error *error)
{
    return pipe_source_open(&(struct pipe_source_params){.input = "camera:desk", .reconnect_s = reconnect_s, .stall_s = stall_s}, error);
}

static void test_busy(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;

    reset();
    cameras[0].busy = true;
    CU_ASSERT(!open_desk(0, 0, &error));
    CU_ASSERT(strstr(error.message, "Desk Camera") && strstr(error.message, "/dev/fake0") && strstr(error.message, "in use"));
    CU_ASSERT(strstr(error.message, "Door Camera") != NULL);
    cameras[1].plugged = false;
    CU_ASSERT(!open_desk(0, 0, &error));
    CU_ASSERT(strstr(error.message, "no other camera") != NULL);
    /* A server that shares the camera is the way out. */
    cameras[0].shared = true;
    source = open_desk(0, 0, &error);
    CU_ASSERT_FATAL(source != NULL);
    CU_ASSERT(read_frames(source, 3, 5) == 3);
    pipe_source_destroy(source);
}

static void test_absent(void)
{
    struct segman_error error = {0};

    reset();
    CU_ASSERT(!pipe_source_open(&(struct pipe_source_params){.input = "camera:garden"}, &error));
    CU_ASSERT(strstr(error.message, "garden") && strstr(error.message, "Desk Camera") && strstr(error.message, "Door Camera"));
    CU_ASSERT(!pipe_source_open(&(struct pipe_source_params){.input = "/dev/video97"}, &error));
    CU_ASSERT(strstr(error.message, "/dev/video97") && strstr(error.message, "Desk Camera"));
}

static gpointer free_later(gpointer user)
{
    (void)user;
    g_usleep(700000);
    cameras[0].busy = false;
    if (!cameras[0].plugged)
        fake_camera_plug(&cameras[0], "/dev/fake0");
    return NULL;
}

/** In use, or not plugged in, when it is first asked for. */
static void test_first_later(void)
{
    for (int absent = 0; absent < 2; absent++) {
        struct segman_error error = {0};
        struct pipe_source *source;
        GThread *friend;

        reset();
        cameras[0].busy = !absent;
        cameras[0].plugged = !absent;
        friend = g_thread_new("later", free_later, NULL);
        source = pipe_source_open(&(struct pipe_source_params){.input = "camera:desk", .first_s = 20}, &error);
        g_thread_join(friend);
        CU_ASSERT_FATAL(source != NULL);
        CU_ASSERT(read_frames(source, 3, 5) == 3);
        pipe_source_destroy(source);
    }
}

/** Unplugged, and back as another device file with another size: found by its ID. */
static void test_replug(void)
{
    struct segman_error error = {0};
    struct pipe_live_state state;
    struct pipe_source *source;
    struct pipe_frame frame;
    int64_t start, before;
    unsigned losses = 0;

    reset();
    source = open_desk(30, 0, &error);
    CU_ASSERT_FATAL(source != NULL);
    CU_ASSERT(read_within(source, 5, &frame, &error, NULL) == PIPE_FRAME);
    before = frame.pts_ns;
    pipe_frame_release(&frame);
    fake_camera_unplug(&cameras[0]);
    start = g_get_monotonic_time();
    CU_ASSERT(read_within(source, 0.6, &frame, &error, &losses) != PIPE_ERROR);
    while (!losses && seconds_since(start) < 5)
        if (read_within(source, 0.1, &frame, &error, &losses) == PIPE_FRAME)
            pipe_frame_release(&frame);
    CU_ASSERT(losses > 0);
    CU_ASSERT(strstr(error.message, "Could not read") != NULL);
    CU_ASSERT(pipe_source_live_state(source, &state) && state.lost && state.losses == 1 && state.lost_s > 0);
    CU_ASSERT_STRING_EQUAL(state.camera_id, "desk-1");

    cameras[0].caps = LARGE;
    fake_camera_plug(&cameras[0], "/dev/fake5");
    start = g_get_monotonic_time();
    CU_ASSERT(read_within(source, 8, &frame, &error, NULL) == PIPE_FRAME);
    CU_ASSERT(seconds_since(start) < 5);
    CU_ASSERT(frame.format.width == 128 && frame.format.height == 96);
    CU_ASSERT(frame.pts_ns - before > 500000000); /* the break is in the times */
    pipe_frame_release(&frame);
    CU_ASSERT(read_frames(source, 5, 5) == 5);
    CU_ASSERT(pipe_source_live_state(source, &state) && !state.lost && state.losses == 1);
    pipe_source_destroy(source);
}

static void test_other_camera_is_not_taken(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_frame frame;
    enum pipe_status status;
    int64_t start;

    reset();
    source = pipe_source_open(&(struct pipe_source_params){.input = "camera", .reconnect_s = 1.5}, &error);
    CU_ASSERT_FATAL(source != NULL);
    fake_camera_unplug(&cameras[0]);
    start = g_get_monotonic_time();
    while ((status = pipe_source_read(source, &frame, &error)) == PIPE_FRAME)
        pipe_frame_release(&frame);
    CU_ASSERT(status == PIPE_ERROR);
    CU_ASSERT(seconds_since(start) > 1.3 && seconds_since(start) < 4);
    CU_ASSERT(strstr(error.message, "Desk Camera") && strstr(error.message, "1.5 seconds"));
    CU_ASSERT(pipe_source_read(source, &frame, &error) == PIPE_END);
    CU_ASSERT(fake_camera_opened() == 1);
    pipe_source_destroy(source);
}

static void test_no_retry(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_frame frame;
    enum pipe_status status;
    int64_t start;

    reset();
    source = open_desk(-1, 0, &error);
    CU_ASSERT_FATAL(source != NULL);
    fake_camera_unplug(&cameras[0]);
    start = g_get_monotonic_time();
    while ((status = pipe_source_read(source, &frame, &error)) == PIPE_FRAME)
        pipe_frame_release(&frame);
    CU_ASSERT(status == PIPE_ERROR && seconds_since(start) < 2);
    pipe_source_destroy(source);
}

/** A camera that hangs is lost, too; and it is back when it goes on. */
static void test_silence(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_frame frame;
    unsigned losses = 0;
    int64_t start;

    reset();
    source = open_desk(INFINITY, 0.5, &error);
    CU_ASSERT_FATAL(source != NULL);
    fake_camera_mute(&cameras[0], true);
    start = g_get_monotonic_time();
    while (!losses && seconds_since(start) < 5)
        if (read_within(source, 0.2, &frame, &error, &losses) == PIPE_FRAME)
            pipe_frame_release(&frame);
    CU_ASSERT(losses > 0 && strstr(error.message, "no frame for"));
    fake_camera_mute(&cameras[0], false);
    CU_ASSERT(read_within(source, 8, &frame, &error, NULL) == PIPE_FRAME);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

static gpointer stop_soon(gpointer source)
{
    g_usleep(200000);
    pipe_source_stop(source);
    return NULL;
}

/** Stop works while the source is lost, and while it is being opened again. */
static void test_stop_while_lost(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_frame frame;
    enum pipe_status status;
    GThread *thread;
    int64_t start;

    for (int mute = 0; mute < 2; mute++) {
        reset();
        source = open_desk(INFINITY, 0, &error);
        CU_ASSERT_FATAL(source != NULL);
        fake_camera_unplug(&cameras[0]);
        cameras[0].mute = mute; /* it comes back, and gives no frame: the reader of the second round stops the opening */
        if (mute)
            fake_camera_plug(&cameras[0], "/dev/fake0");
        start = g_get_monotonic_time();
        thread = g_thread_new("stop", stop_soon, source);
        while ((status = pipe_source_read(source, &frame, &error)) == PIPE_FRAME)
            pipe_frame_release(&frame);
        CU_ASSERT(status == PIPE_STOPPED);
        g_thread_join(thread);
        g_usleep(mute ? 200000 : 0);
        pipe_source_destroy(source);
        CU_ASSERT(seconds_since(start) < 2);
    }
}

static int give_up(void)
{
    return 1;
}

static void test_cancelled(void)
{
    struct segman_error error = {0};
    int64_t start = g_get_monotonic_time();

    reset();
    cameras[0].mute = true;
    CU_ASSERT(!pipe_source_open(&(struct pipe_source_params){.input = "camera:desk", .cancelled = give_up}, &error));
    CU_ASSERT(seconds_since(start) < 2);
}

void add_fault_suite(void)
{
    CU_pSuite suite = CU_add_suite("faults", NULL, NULL);
    CU_add_test(suite, "busy: named, others listed, a shared way taken", test_busy);
    CU_add_test(suite, "absent: named, others listed", test_absent);
    CU_add_test(suite, "busy or absent at first", test_first_later);
    CU_add_test(suite, "unplugged and back elsewhere", test_replug);
    CU_add_test(suite, "another camera is no substitute; time limit", test_other_camera_is_not_taken);
    CU_add_test(suite, "no retry", test_no_retry);
    CU_add_test(suite, "silence is a loss", test_silence);
    CU_add_test(suite, "stop while it is lost", test_stop_while_lost);
    CU_add_test(suite, "opening is cancelled", test_cancelled);
}
