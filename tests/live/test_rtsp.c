/* SPDX-License-Identifier: Apache-2.0 */
/* A local RTSP server that is killed and started again while it is being read. */
#include "suites.h"

#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>
#include <string.h>

#define LAUNCH(width, height)                                                                                                              \
    "( videotestsrc is-live=true ! video/x-raw,width=" #width ",height=" #height ",framerate=30/1"                                         \
    " ! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 pt=96 )"

struct server {
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    GstRTSPServer *server;
    GSource *source;
    const char *port; /* start_later */
};

static gpointer run(gpointer user)
{
    struct server *s = user;
    g_main_context_push_thread_default(s->context);
    g_main_loop_run(s->loop);
    g_main_context_pop_thread_default(s->context);
    return NULL;
}

/** port "0": a free one. Returns the port. */
static int start_server(struct server *s, const char *port, const char *launch)
{
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    GstRTSPMountPoints *mounts;

    *s = (struct server){.context = g_main_context_new(), .server = gst_rtsp_server_new()};
    s->loop = g_main_loop_new(s->context, FALSE);
    gst_rtsp_media_factory_set_launch(factory, launch);
    gst_rtsp_media_factory_set_shared(factory, TRUE);
    gst_rtsp_server_set_address(s->server, "127.0.0.1");
    gst_rtsp_server_set_service(s->server, port);
    mounts = gst_rtsp_server_get_mount_points(s->server);
    gst_rtsp_mount_points_add_factory(mounts, "/live", factory);
    g_object_unref(mounts);
    s->source = gst_rtsp_server_create_source(s->server, NULL, NULL);
    if (!s->source)
        return -1;
    g_source_attach(s->source, s->context);
    s->thread = g_thread_new("rtsp", run, s);
    return gst_rtsp_server_get_bound_port(s->server);
}

static GstRTSPFilterResult drop_client(GstRTSPServer *server, GstRTSPClient *client, gpointer user)
{
    (void)server, (void)client, (void)user;
    return GST_RTSP_FILTER_REMOVE;
}

/** As if it were killed: every connection is cut. */
static void kill_server(struct server *s)
{
    gst_rtsp_server_client_filter(s->server, drop_client, NULL);
    g_source_destroy(s->source);
    g_usleep(100000); /* the clients' sources are destroyed by the loop */
    g_main_loop_quit(s->loop);
    g_thread_join(s->thread);
    g_source_unref(s->source);
    g_object_unref(s->server);
    g_main_loop_unref(s->loop);
    g_main_context_unref(s->context);
}

static void test_killed(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_live_state state;
    struct pipe_frame frame;
    struct server server;
    char uri[64], port_text[16];
    unsigned losses = 0;
    int64_t start;
    int port = start_server(&server, "0", LAUNCH(64, 48));

    CU_ASSERT_FATAL(port > 0);
    g_snprintf(uri, sizeof uri, "rtsp://127.0.0.1:%d/live", port);
    g_snprintf(port_text, sizeof port_text, "%d", port);
    source = pipe_source_open(&(struct pipe_source_params){.input = uri, .reconnect_s = 30, .stall_s = 2}, &error);
    if (!source)
        fprintf(stderr, "%s\n", error.message);
    CU_ASSERT_FATAL(source != NULL);
    CU_ASSERT(pipe_source_info(source)->kind == PIPE_KIND_LIVE);
    CU_ASSERT(pipe_source_info(source)->format.width == 64);
    CU_ASSERT(read_frames(source, 30, 10) == 30);

    kill_server(&server);
    start = g_get_monotonic_time();
    while (!losses && seconds_since(start) < 6)
        if (read_within(source, 0.2, &frame, &error, &losses) == PIPE_FRAME)
            pipe_frame_release(&frame);
    CU_ASSERT(losses > 0);
    CU_ASSERT(read_within(source, 1, &frame, &error, NULL) == PIPE_LOST); /* nobody there yet */

    CU_ASSERT_FATAL(start_server(&server, port_text, LAUNCH(96, 64)) == port);
    start = g_get_monotonic_time();
    CU_ASSERT(read_within(source, 12, &frame, &error, NULL) == PIPE_FRAME);
    CU_ASSERT(seconds_since(start) < 10);
    CU_ASSERT(frame.format.width == 96 && frame.format.height == 64);
    pipe_frame_release(&frame);
    CU_ASSERT(read_frames(source, 30, 10) == 30);
    CU_ASSERT(pipe_source_live_state(source, &state) && !state.lost && state.losses >= 1);
    pipe_source_destroy(source);
    kill_server(&server);
}

/** A slow reader of a stream is not behind either. */
static void test_slow_reader(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    struct server server;
    char uri[64];
    int port = start_server(&server, "0", LAUNCH(64, 48));
    int64_t start, worst = 0, first = -1;

    CU_ASSERT_FATAL(port > 0);
    g_snprintf(uri, sizeof uri, "rtsp://127.0.0.1:%d/live", port);
    source = pipe_source_open(&(struct pipe_source_params){.input = uri}, &error);
    CU_ASSERT_FATAL(source != NULL);
    start = g_get_monotonic_time();
    for (int i = 0; i < 30; i++) {
        struct pipe_frame frame;
        CU_ASSERT_FATAL(pipe_source_read(source, &frame, &error) == PIPE_FRAME);
        first = first < 0 ? frame.pts_ns : first;
        if (i > 3)
            worst = MAX(worst, g_get_monotonic_time() * 1000 - frame.captured_ns);
        pipe_frame_release(&frame);
        g_usleep(100000);
    }
    CU_ASSERT(worst < 400000000);
    CU_ASSERT(seconds_since(start) < 5);
    pipe_source_destroy(source);
    kill_server(&server);
}

static gpointer start_later(gpointer user)
{
    struct server *server = user;
    g_usleep(1500000);
    return GINT_TO_POINTER(start_server(server, server->port, LAUNCH(64, 48)));
}

/** A server that starts after whoever looks for it. */
static void test_later(void)
{
    struct segman_error error = {0};
    struct server server;
    struct pipe_source *source;
    char uri[64], port_text[16];
    int port = start_server(&server, "0", LAUNCH(64, 48));
    GThread *starter;

    CU_ASSERT_FATAL(port > 0);
    kill_server(&server);
    g_snprintf(port_text, sizeof port_text, "%d", port);
    g_snprintf(uri, sizeof uri, "rtsp://127.0.0.1:%d/live", port);
    server.port = port_text;
    starter = g_thread_new("later", start_later, &server);
    source = pipe_source_open(&(struct pipe_source_params){.input = uri, .first_s = 30}, &error);
    CU_ASSERT(GPOINTER_TO_INT(g_thread_join(starter)) == port);
    if (!source)
        fprintf(stderr, "%s\n", error.message);
    CU_ASSERT_FATAL(source != NULL);
    CU_ASSERT(read_frames(source, 10, 10) == 10);
    pipe_source_destroy(source);
    kill_server(&server);
}

static int polls;
static int cancelled_soon(void)
{
    return ++polls > 20;
}

static void test_never(void)
{
    struct segman_error error = {0};
    int64_t start = g_get_monotonic_time();
    CU_ASSERT(!pipe_source_open(&(struct pipe_source_params){.input = "rtsp://127.0.0.1:9/live", .first_s = 1.5}, &error));
    CU_ASSERT(strstr(error.message, "rtsp://127.0.0.1:9/live") && strstr(error.message, "retried for 1.5 seconds"));
    CU_ASSERT(seconds_since(start) > 1.4 && seconds_since(start) < 8);
    start = g_get_monotonic_time();
    CU_ASSERT(!pipe_source_open(
        &(struct pipe_source_params){.input = "rtsp://127.0.0.1:9/live", .first_s = 60, .cancelled = cancelled_soon}, &error));
    CU_ASSERT(seconds_since(start) < 8);
}

static void test_absent(void)
{
    struct segman_error error = {0};
    int64_t start = g_get_monotonic_time();
    CU_ASSERT(!pipe_source_open(&(struct pipe_source_params){.input = "rtsp://127.0.0.1:9/live"}, &error));
    CU_ASSERT(strstr(error.message, "rtsp://127.0.0.1:9/live") != NULL);
    CU_ASSERT(seconds_since(start) < 5);
}

void add_rtsp_suite(void)
{
    CU_pSuite suite = CU_add_suite("rtsp", NULL, NULL);
    CU_add_test(suite, "a server that is killed and started again", test_killed);
    CU_add_test(suite, "a slow reader gets the newest frame", test_slow_reader);
    CU_add_test(suite, "no server", test_absent);
    CU_add_test(suite, "a server that starts later", test_later);
    CU_add_test(suite, "a server that never starts", test_never);
}
