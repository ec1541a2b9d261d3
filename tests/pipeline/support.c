/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <string.h>
#include <unistd.h>

#include <CUnit/Basic.h>
#include <glib/gstdio.h>

static char *folder;
static GPtrArray *paths;
static GString *log_text;
static GMutex log_lock;

static void on_log(void *user, enum segman_log_level level, const char *text)
{
    (void)user, (void)level;
    g_mutex_lock(&log_lock);
    g_string_append_printf(log_text, "%s\n", text);
    g_mutex_unlock(&log_lock);
}

const char *logged(void)
{
    return log_text->str;
}

static void remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        char *child = g_build_filename(path, name, NULL);
        remove_tree(child);
        g_free(child);
    }
    if (dir)
        g_dir_close(dir);
    g_remove(path);
}

static void set_up(void)
{
    folder = g_dir_make_tmp("segman-test-XXXXXX", NULL);
    paths = g_ptr_array_new_with_free_func(g_free);
    g_string_truncate(log_text, 0);
}

static void tear_down(void)
{
    remove_tree(folder);
    g_free(folder);
    g_ptr_array_unref(paths);
}

int run_tests(const char *suite, const struct named_test *tests)
{
    struct segman_error error;
    unsigned failed;
    CU_pSuite s;

    log_text = g_string_new(NULL);
    pipe_set_log(on_log, NULL);
    if (!pipe_init(&error) || CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    s = CU_add_suite_with_setup_and_teardown(suite, NULL, NULL, set_up, tear_down);
    for (; tests->name; tests++)
        CU_add_test(s, tests->name, tests->run);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    g_string_free(log_text, TRUE);
    return failed ? 1 : 0;
}

const char *in_folder(const char *format, ...)
{
    va_list args;
    char *name, *path;
    va_start(args, format);
    name = g_strdup_vprintf(format, args);
    va_end(args);
    path = g_strconcat(folder, "/", name, NULL); /* keeps a slash at the end */
    g_free(name);
    g_ptr_array_add(paths, path);
    return path;
}

const char *clip(const char *name)
{
    const char *dir = g_getenv("CLIPS");
    char *path = g_build_filename(dir ? dir : ".", name, NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_free(path);
        return NULL;
    }
    if (paths)
        g_ptr_array_add(paths, path);
    return path;
}

unsigned files_in_folder(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned count = 0;
    while (dir && g_dir_read_name(dir))
        count++;
    if (dir)
        g_dir_close(dir);
    return count;
}

/* ---- pictures -------------------------------------------------------------------------------- */

static void add_plane(struct picture *p, int i, uint32_t bytes, uint32_t rows, unsigned number)
{
    p->stride[i] = (bytes + 7) / 4 * 4; /* more than the row, to find who takes the one for the other */
    p->rows[i] = rows;
    p->plane[i] = g_malloc0((size_t)p->stride[i] * rows);
    for (uint32_t y = 0; y < rows; y++)
        for (uint32_t x = 0; x < bytes; x++) /* smooth, so that encoders keep it */
            p->plane[i][(size_t)y * p->stride[i] + x] =
                (uint8_t)(40 + (x * 100 / bytes + y * 70 / rows + number * 9 + (unsigned)i * 20) % 170);
}

struct picture picture_make(struct segman_frame_format f, unsigned number)
{
    struct picture p = {.format = f};
    uint32_t half = (f.width + 1) / 2, rows = (f.height + 1) / 2;
    bool yuv = f.format == SEGMAN_FORMAT_NV12 || f.format == SEGMAN_FORMAT_I420;

    add_plane(&p, 0, yuv ? f.width : 4 * f.width, f.height, number);
    if (f.format == SEGMAN_FORMAT_NV12)
        add_plane(&p, 1, 2 * half, rows, number);
    for (int i = 1; f.format == SEGMAN_FORMAT_I420 && i < 3; i++)
        add_plane(&p, i, half, rows, number);
    return p;
}

struct picture picture_gray(uint32_t width, uint32_t height, unsigned number)
{
    struct picture p = {.format = {.width = width, .height = height}, .stride = {width + 3}, .rows = {height}};
    p.plane[0] = g_malloc0((size_t)p.stride[0] * height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            p.plane[0][(size_t)y * p.stride[0] + x] = (uint8_t)(x * 31 + y * 7 + number);
    return p;
}

struct picture picture_quadrants(uint32_t width, uint32_t height)
{
    static const uint8_t colours[4][4] = {{250, 10, 10, 255}, {10, 250, 10, 255}, {10, 10, 250, 255}, {240, 240, 240, 255}};
    struct picture p = picture_make((struct segman_frame_format){.format = SEGMAN_FORMAT_RGBA, .width = width, .height = height}, 0);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            memcpy(p.plane[0] + (size_t)y * p.stride[0] + 4 * (size_t)x, colours[(2 * y >= height) * 2 + (2 * x >= width)], 4);
    return p;
}

void picture_free(struct picture *p)
{
    for (int i = 0; i < 3; i++)
        g_free(p->plane[i]);
    *p = (struct picture){0};
}

int picture_difference(const struct picture *p, const struct pipe_frame *frame)
{
    int most = 0;
    for (int i = 0; i < 3 && p->plane[i]; i++) {
        uint32_t step = p->format.format == SEGMAN_FORMAT_NV12 && i ? 2 : p->format.format == SEGMAN_FORMAT_RGBA ? 4 : 1;
        uint32_t width = i ? (p->format.width + 1) / 2 : p->format.width;
        for (uint32_t y = 0; y < p->rows[i]; y++)
            for (uint32_t x = 0; x < width * step; x++)
                most = MAX(most, abs(p->plane[i][(size_t)y * p->stride[i] + x] - frame->plane[i][(size_t)y * frame->stride[i] + x]));
    }
    return most;
}

double picture_mean_difference(const struct picture *p, const struct pipe_frame *frame)
{
    double sum = 0;
    for (uint32_t y = 0; y < p->format.height; y++)
        for (uint32_t x = 0; x < p->format.width; x++)
            sum += abs(p->plane[0][(size_t)y * p->stride[0] + x] - frame->plane[0][(size_t)y * frame->stride[0] + x]);
    return sum / p->format.height / p->format.width;
}

/* ---- files ----------------------------------------------------------------------------------- */

void write_pictures(const struct pipe_sink_params *params, const int64_t *pts_ns, unsigned count)
{
    struct segman_error error = {0};
    struct pipe_sink *sink = pipe_sink_open(params, &error);
    bool ok = sink != NULL;

    for (unsigned i = 0; i < count && ok; i++) {
        struct picture p = params->gray ? picture_gray(params->format.width, params->format.height, i) : picture_make(params->format, i);
        ok = pipe_sink_write(sink, (const uint8_t *const *)p.plane, p.stride, pts_ns[i], -1, NULL, &error);
        picture_free(&p);
    }
    ok = ok && pipe_sink_close(sink, &error);
    pipe_sink_destroy(sink);
    if (!ok)
        fprintf(stderr, "%s: %s\n", params->output, error.message);
    CU_ASSERT_FATAL(ok);
}

struct pipe_source *open_source(const char *path)
{
    struct segman_error error = {0};
    struct pipe_source *source = pipe_source_open(&(struct pipe_source_params){.input = path}, &error);
    if (!source)
        fprintf(stderr, "%s: %s\n", path, error.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    return source;
}

static void check_message(const char *message, const char *text)
{
    bool found = strstr(message, text) != NULL;
    if (!found)
        g_printerr("message \"%s\" lacks \"%s\"\n", message, text);
    CU_ASSERT(found);
    CU_ASSERT_PTR_NULL(strchr(message, '\n'));
}

void expect_open_error(const char *input, const char *text, const char *more)
{
    struct segman_error error = {0};
    struct pipe_source *source = pipe_source_open(&(struct pipe_source_params){.input = input}, &error);
    CU_ASSERT_PTR_NULL(source);
    pipe_source_destroy(source);
    check_message(error.message, text);
    check_message(error.message, more);
}

void expect_sink_error(const struct pipe_sink_params *params, const char *text)
{
    struct segman_error error = {0};
    struct pipe_sink *sink = pipe_sink_open(params, &error);
    CU_ASSERT_PTR_NULL(sink);
    pipe_sink_destroy(sink);
    check_message(error.message, text);
}

bool run_pipeline(const char *format, ...)
{
    va_list args;
    char *text;
    GstElement *pipeline;
    GstMessage *message;
    GstBus *bus;
    GError *failure = NULL;
    bool ok;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    pipeline = gst_parse_launch(text, &failure);
    if (failure) {
        fprintf(stderr, "%s: %s\n", text, failure->message);
        g_clear_error(&failure);
        g_clear_object(&pipeline);
    }
    g_free(text);
    if (!pipeline)
        return false;
    bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    ok = message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    if (message)
        gst_message_unref(message);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    return ok;
}

struct reading {
    GstElement *pipeline;
    const char *kind;
    struct packets packets;
    GChecksum *checksum;
    GMutex lock;
};

static GstPadProbeReturn on_packet(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    struct reading *r = user;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    const GstSegment *segment = NULL;
    GstMapInfo map;
    guint64 running = 0;
    int sign;

    g_mutex_lock(&r->lock);
    gst_event_parse_segment(event, &segment);
    sign = gst_segment_to_running_time_full(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer), &running);
    r->packets.last_ns = sign < 0 ? -(int64_t)running : (int64_t)running;
    if (!r->packets.count++)
        r->packets.first_ns = r->packets.last_ns;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    g_checksum_update(r->checksum, map.data, (gssize)map.size);
    gst_buffer_unmap(buffer, &map);
    gst_event_unref(event);
    g_mutex_unlock(&r->lock);
    return GST_PAD_PROBE_OK;
}

static void on_pad(GstElement *element, GstPad *pad, gpointer user)
{
    struct reading *r = user;
    GstElement *sink = gst_element_factory_make("fakesink", NULL);
    GstPad *sink_pad = gst_element_get_static_pad(sink, "sink");
    GstCaps *caps = gst_pad_query_caps(pad, NULL);
    (void)element;

    g_object_set(sink, "async", FALSE, NULL);
    gst_bin_add(GST_BIN(r->pipeline), sink);
    gst_pad_link(pad, sink_pad);
    if (g_str_has_prefix(gst_structure_get_name(gst_caps_get_structure(caps, 0)), r->kind))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_packet, r, NULL);
    gst_element_sync_state_with_parent(sink);
    gst_object_unref(sink_pad);
    gst_caps_unref(caps);
}

struct packets read_packets(const char *path, const char *kind)
{
    struct reading r = {.kind = kind, .checksum = g_checksum_new(G_CHECKSUM_SHA256)};
    GstElement *file, *parse;
    GstBus *bus;
    GstMessage *message;

    r.pipeline = gst_parse_launch("filesrc name=file ! parsebin name=parse", NULL);
    file = gst_bin_get_by_name(GST_BIN(r.pipeline), "file");
    parse = gst_bin_get_by_name(GST_BIN(r.pipeline), "parse");
    g_object_set(file, "location", path, NULL);
    g_signal_connect(parse, "pad-added", G_CALLBACK(on_pad), &r);
    bus = gst_element_get_bus(r.pipeline);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (message)
        gst_message_unref(message);
    gst_element_set_state(r.pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(file);
    gst_object_unref(parse);
    gst_object_unref(r.pipeline);
    g_strlcpy(r.packets.checksum, g_checksum_get_string(r.checksum), sizeof r.packets.checksum);
    g_checksum_free(r.checksum);
    return r.packets;
}
