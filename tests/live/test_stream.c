/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over UDP and HTTP, sent by this process, interrupted and taken up again. */
#include "suites.h"

#include <arpa/inet.h>
#include <gst/app/app.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/** A socket on a free port of this machine. */
static int listener(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(*port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, type, 0), yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    CU_ASSERT_FATAL(!bind(fd, (struct sockaddr *)&address, size));
    CU_ASSERT_FATAL(!getsockname(fd, (struct sockaddr *)&address, &size));
    *port = ntohs(address.sin_port);
    return fd;
}

/** Reads until the loss is told; false when it is not within limit_s. */
static bool is_lost_within(struct pipe_source *source, double limit_s)
{
    int64_t start = g_get_monotonic_time();
    struct pipe_frame frame;
    unsigned losses = 0;

    while (!losses && seconds_since(start) < limit_s)
        if (read_within(source, 0.2, &frame, NULL, &losses) == PIPE_FRAME)
            pipe_frame_release(&frame);
    return losses > 0;
}

/* ---- UDP ----------------------------------------------------------------------------------------- */

static GstElement *send_udp(uint16_t port)
{
    char *line = g_strdup_printf("videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1"
                                 " ! x264enc tune=zerolatency key-int-max=10 ! mpegtsmux ! udpsink host=127.0.0.1 port=%u",
                                 port);
    GstElement *pipeline = gst_parse_launch(line, NULL);
    g_free(line);
    if (pipeline)
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
    return pipeline;
}

static void stop_sending(GstElement *pipeline)
{
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

static void test_udp(void)
{
    struct segman_error error = {0};
    struct pipe_source *source;
    GstElement *sender;
    uint16_t port = 0;
    char uri[64];

    close(listener(SOCK_DGRAM, &port));
    g_snprintf(uri, sizeof uri, "udp://127.0.0.1:%u", port);
    sender = send_udp(port);
    CU_ASSERT(sender != NULL);
    if (!sender)
        return;
    source = pipe_source_open(&(struct pipe_source_params){.input = uri, .reconnect_s = 20, .stall_s = 1}, &error);
    CU_ASSERT(source != NULL);
    if (source) {
        CU_ASSERT(pipe_source_info(source)->kind == PIPE_KIND_LIVE);
        CU_ASSERT(read_frames(source, 20, 10) == 20);
        stop_sending(sender);
        CU_ASSERT(is_lost_within(source, 5));
        sender = send_udp(port);
        CU_ASSERT(read_frames(source, 5, 10) == 5);
        pipe_source_destroy(source);
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    stop_sending(sender);
}

/* ---- HTTP ---------------------------------------------------------------------------------------- */

struct server {
    GThread *thread;
    int fd;
    gint quit, cut; /* cut: the running answer ends */
    const char *type;
    GBytes *body; /* pictures: one, sent again and again; else the file */
    bool pictures;
};

static bool send_all(int fd, const void *data, size_t size)
{
    return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

static void send_pictures(struct server *server, int fd)
{
    gsize size;
    const void *data = g_bytes_get_data(server->body, &size);
    char head[128];

    send_text(fd, "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n");
    g_snprintf(head, sizeof head, "--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", size);
    while (!g_atomic_int_get(&server->quit) && !g_atomic_int_get(&server->cut)) {
        if (!send_text(fd, head) || !send_all(fd, data, size) || !send_text(fd, "\r\n"))
            break;
        g_usleep(20000);
    }
    g_atomic_int_set(&server->cut, 0);
}

static void send_file(struct server *server, int fd)
{
    gsize size;
    const void *data = g_bytes_get_data(server->body, &size);
    char head[160];

    g_snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", server->type, size);
    if (send_text(fd, head))
        send_all(fd, data, size);
}

static gpointer serve(gpointer user)
{
    struct server *server = user;
    char request[2048];
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        if (recv(fd, request, sizeof request, 0) > 0 && server->pictures)
            send_pictures(server, fd);
        else
            send_file(server, fd);
        shutdown(fd, SHUT_WR);
        while (!server->pictures && recv(fd, request, sizeof request, 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static void start_server(struct server *server, char *uri, size_t size)
{
    uint16_t port = 0;
    server->fd = listener(SOCK_STREAM, &port);
    CU_ASSERT_FATAL(!listen(server->fd, 4));
    g_snprintf(uri, size, "http://127.0.0.1:%u/stream", port);
    server->thread = g_thread_new("http", serve, server);
}

static void stop_server(struct server *server)
{
    g_atomic_int_set(&server->quit, 1);
    shutdown(server->fd, SHUT_RDWR);
    g_thread_join(server->thread);
    close(server->fd);
    g_bytes_unref(server->body);
}

/** All that a pipeline ending in "appsink name=out" gives. */
static GBytes *render(const char *line)
{
    GstElement *pipeline = gst_parse_launch(line, NULL), *out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    GByteArray *all = g_byte_array_new();
    GstSample *sample;

    g_object_set(out, "sync", FALSE, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while ((sample = gst_app_sink_pull_sample(GST_APP_SINK(out)))) {
        GstMapInfo map;
        gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ);
        g_byte_array_append(all, map.data, (guint)map.size);
        gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
        gst_sample_unref(sample);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(out);
    gst_object_unref(pipeline);
    return g_byte_array_free_to_bytes(all);
}

static void test_http_pictures(void)
{
    struct server server = {.pictures = true};
    struct segman_error error = {0};
    struct pipe_source *source;
    char uri[64];

    server.body = render("videotestsrc num-buffers=1 ! video/x-raw,width=64,height=48 ! jpegenc ! appsink name=out");
    start_server(&server, uri, sizeof uri);
    source = pipe_source_open(&(struct pipe_source_params){.input = uri, .reconnect_s = 20, .stall_s = 2}, &error);
    CU_ASSERT(source != NULL);
    if (source) {
        CU_ASSERT(pipe_source_info(source)->kind == PIPE_KIND_LIVE);
        CU_ASSERT(read_frames(source, 20, 10) == 20);
        g_atomic_int_set(&server.cut, 1);
        CU_ASSERT(is_lost_within(source, 5));
        CU_ASSERT(read_frames(source, 20, 10) == 20);
        pipe_source_destroy(source);
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    stop_server(&server);
}

/** A file on a server is a file: every frame, and an end. */
static void test_http_file(void)
{
    struct server server = {.type = "video/x-matroska"};
    struct segman_error error = {0};
    struct pipe_source *source;
    char uri[64];

    server.body =
        render("videotestsrc num-buffers=40 ! video/x-raw,width=64,height=48,framerate=30/1 ! jpegenc ! matroskamux ! appsink name=out");
    start_server(&server, uri, sizeof uri);
    source = pipe_source_open(&(struct pipe_source_params){.input = uri}, &error);
    CU_ASSERT(source != NULL);
    if (source) {
        struct pipe_frame frame;
        unsigned count = 0;
        CU_ASSERT(pipe_source_info(source)->kind == PIPE_KIND_VIDEO);
        g_usleep(300000);
        while (pipe_source_read(source, &frame, &error) == PIPE_FRAME) {
            pipe_frame_release(&frame);
            count++;
        }
        CU_ASSERT(count == 40);
        pipe_source_destroy(source);
    }
    stop_server(&server);
}

void add_stream_suite(void)
{
    CU_pSuite suite = CU_add_suite("streams", NULL, NULL);
    CU_add_test(suite, "UDP, interrupted", test_udp);
    CU_add_test(suite, "HTTP pictures, interrupted", test_http_pictures);
    CU_add_test(suite, "HTTP file", test_http_file);
}
