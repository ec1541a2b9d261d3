/* SPDX-License-Identifier: Apache-2.0 */
/* Live sources: cameras that do not exist, streams of this process. */
#include "suites.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

double seconds_since(int64_t start_us)
{
    return (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
}

enum pipe_status read_within(struct pipe_source *source, double limit_s, struct pipe_frame *frame, struct segman_error *error,
                             unsigned *losses)
{
    int64_t start = g_get_monotonic_time();
    enum pipe_status status;

    do {
        status = pipe_source_read_timeout(source, 50000000, frame, error);
        if (status == PIPE_LOST && losses)
            ++*losses;
    } while ((status == PIPE_TIMEOUT || status == PIPE_LOST) && seconds_since(start) < limit_s);
    return status;
}

unsigned read_frames(struct pipe_source *source, unsigned count, double limit_s)
{
    int64_t start = g_get_monotonic_time(), last = -1;
    unsigned got = 0;

    while (got < count && seconds_since(start) < limit_s) {
        struct pipe_frame frame;
        struct segman_error error;
        if (read_within(source, limit_s - seconds_since(start), &frame, &error, NULL) != PIPE_FRAME)
            break;
        CU_ASSERT(frame.pts_ns > last);
        CU_ASSERT(frame.captured_ns > 0 && frame.captured_ns <= g_get_monotonic_time() * 1000);
        last = frame.pts_ns;
        pipe_frame_release(&frame);
        got++;
    }
    return got;
}

/** Losses are what is tested here: they are not to be told on the terminal. */
static void keep_quiet(void *user, enum segman_log_level level, const char *text)
{
    (void)user;
    if (g_getenv("LIVE_LOG"))
        fprintf(stderr, "[%d] %s\n", level, text);
}

int main(int argc, char **argv)
{
    struct segman_error error;
    unsigned failures;

    (void)argv;
    pipe_set_log(keep_quiet, NULL);
    if (CU_initialize_registry() != CUE_SUCCESS || !pipe_init(&error))
        return 1;
#ifdef LIVE_RTSP
    add_rtsp_suite();
#else
    add_list_suite();
    add_camera_suite();
    add_fault_suite();
    add_stream_suite();
#endif
    CU_basic_set_mode(argc > 1 ? CU_BRM_VERBOSE : CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
