/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: frames, times, formats, orientation, changes midway, stop. Inputs are made by GStreamer. */
#include "support.h"

#include "pipeline/bytes.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/** Reads to the end; returns the number of frames. */
static unsigned count_frames(struct pipe_source *source, enum pipe_status *last)
{
    struct pipe_frame frame;
    struct segman_error error = {0};
    unsigned count = 0;
    while ((*last = pipe_source_read(source, &frame, &error)) == PIPE_FRAME) {
        CU_ASSERT_EQUAL(frame.index, count);
        pipe_frame_release(&frame);
        count++;
    }
    return count;
}

static void test_pattern(void)
{
    struct pipe_source *source = open_source("test:64x48@10:5");
    const struct pipe_source_info *info = pipe_source_info(source);
    struct pipe_frame frame;
    enum pipe_status status;

    CU_ASSERT_EQUAL(info->kind, PIPE_KIND_TEST);
    CU_ASSERT_EQUAL(info->format.width, 64);
    CU_ASSERT_EQUAL(info->format.height, 48);
    CU_ASSERT_EQUAL(info->fps_num, 10);
    CU_ASSERT_EQUAL(info->frames, 5);
    CU_ASSERT_EQUAL(info->duration_ns, 500000000);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
        CU_ASSERT_EQUAL(frame.pts_ns, i * 100000000LL);
        CU_ASSERT(frame.stride[0] >= 64 && frame.plane[0]);
        pipe_frame_release(&frame);
        pipe_frame_release(&frame); /* harmless */
    }
    CU_ASSERT_EQUAL(count_frames(source, &status), 0);
    CU_ASSERT_EQUAL(status, PIPE_END);
    CU_ASSERT_EQUAL(pipe_source_read(source, &frame, NULL), PIPE_END);
    CU_ASSERT_EQUAL(pipe_source_corrupt(source), 0);
    pipe_source_destroy(source);
    pipe_source_destroy(NULL);
    pipe_frame_release(NULL);
    expect_open_error("test:0x0", "test:0x0", "WIDTHxHEIGHT");
}

/** Who stops reading a little before the end is not told of damage, wherever the end is by then. */
static void test_short(void)
{
    const char *path = in_folder("short.mkv");

    CU_ASSERT_FATAL(run_pipeline("videotestsrc num-buffers=10 ! video/x-raw,format=I420,width=64,height=48 ! vp8enc deadline=1"
                                 " ! matroskamux ! filesink location=%s",
                                 path));
    for (unsigned wanted = 5; wanted <= 10; wanted++) {
        struct pipe_source *source = open_source(path);
        struct pipe_frame frame;
        for (unsigned i = 0; i < wanted; i++) {
            CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
            pipe_frame_release(&frame);
        }
        g_usleep(50000); /* the end arrives behind the frames that wait */
        CU_ASSERT_EQUAL(pipe_source_corrupt(source), 0);
        pipe_source_destroy(source);
    }
}

static void *stop_later(void *user)
{
    g_usleep(300000);
    pipe_source_stop(user);
    return NULL;
}

static gint64 given_up_at;

static int give_up(void)
{
    return g_get_monotonic_time() > given_up_at;
}

/** Standard input that never says anything: opening is given up when that is asked for. */
static void test_cancelled(void)
{
    int ends[2], saved = dup(0);
    gint64 start = g_get_monotonic_time();

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    dup2(ends[0], 0);
    given_up_at = start + 300 * G_TIME_SPAN_MILLISECOND;
    CU_ASSERT_PTR_NULL(pipe_source_open(&(struct pipe_source_params){.input = "-", .cancelled = give_up}, NULL));
    CU_ASSERT(g_get_monotonic_time() - start < 5 * G_TIME_SPAN_SECOND);
    dup2(saved, 0);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

/** Standard input that stays open after half of a file: reading blocks, until another thread stops it. */
static void test_stop(void)
{
    const char *path = in_folder("long.mkv");
    char *data;
    gsize size;
    int ends[2], saved = dup(0);
    struct pipe_source *source;
    enum pipe_status status;
    GThread *thread;
    gint64 start;

    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=300 pattern=ball ! video/x-raw,format=I420,width=64,height=48 ! vp8enc deadline=1"
                     " ! matroskamux ! filesink location=%s",
                     path));
    CU_ASSERT_FATAL(g_file_get_contents(path, &data, &size, NULL) && pipe(ends) == 0);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    CU_ASSERT_EQUAL(write(ends[1], data, size / 2), (ssize_t)(size / 2));
    dup2(ends[0], 0);
    source = open_source("-");
    CU_ASSERT_EQUAL(pipe_source_info(source)->kind, PIPE_KIND_VIDEO);
    thread = g_thread_new("stop", stop_later, source);
    start = g_get_monotonic_time();
    CU_ASSERT(count_frames(source, &status) > 50);
    CU_ASSERT_EQUAL(status, PIPE_STOPPED);
    CU_ASSERT(g_get_monotonic_time() - start < 3 * G_TIME_SPAN_SECOND);
    CU_ASSERT_EQUAL(count_frames(source, &status), 0);
    CU_ASSERT_EQUAL(status, PIPE_STOPPED);
    g_thread_join(thread);
    close(ends[1]);
    pipe_source_destroy(source);
    dup2(saved, 0);
    close(saved);
    close(ends[0]);
    g_free(data);
}

/** Destroying a source that nobody reads to its end, with audio piling up, neither hangs nor leaks. */
static void test_unread(void)
{
    const char *path = in_folder("av.mkv");
    struct pipe_source *source;
    CU_ASSERT_FATAL(run_pipeline("videotestsrc num-buffers=100 ! video/x-raw,width=64,height=48 ! vp8enc deadline=1 ! matroskamux name=m"
                                 " ! filesink location=%s audiotestsrc num-buffers=200 ! vorbisenc ! queue ! m.",
                                 path));
    source = open_source(path);
    CU_ASSERT(pipe_source_info(source)->has_audio);
    CU_ASSERT_STRING_EQUAL(pipe_source_info(source)->container, "Matroska");
    pipe_source_destroy(source);
}

/* ---- orientation ----------------------------------------------------------------------------- */

static int quadrant_of(const uint8_t *p)
{
    return p[0] > 150 && p[1] > 150 ? 3 : p[0] > 150 ? 0 : p[1] > 150 ? 1 : 2;
}

/** Colours of the four corners of an RGB or YUV frame, as quadrant_of says, top left first. */
static void corners(const struct pipe_frame *frame, int found[4])
{
    uint32_t w = frame->format.width, h = frame->format.height;
    for (int i = 0; i < 4; i++) {
        uint32_t x = i & 1 ? w - w / 4 : w / 4, y = i & 2 ? h - h / 4 : h / 4;
        if (frame->format.format == SEGMAN_FORMAT_RGBA) {
            found[i] = quadrant_of(frame->plane[0] + (size_t)y * frame->stride[0] + 4 * (size_t)x);
        } else {
            int luma = frame->plane[0][(size_t)y * frame->stride[0] + x], cb, cr;
            cb = frame->plane[1][(size_t)(y / 2) * frame->stride[1] + x / 2];
            cr = frame->plane[2][(size_t)(y / 2) * frame->stride[2] + x / 2];
            found[i] = cr > 180 ? 0 : cb > 180 ? 2 : luma > 200 ? 3 : 1;
        }
    }
}

/** What each Exif orientation makes of the quadrants 0 1 / 2 3, and how the source describes it. */
static const struct {
    int corner[4];
    uint32_t rotation;
    bool flipped;
} orientations[9] = {
    [1] = {{0, 1, 2, 3}, 0, false}, [2] = {{1, 0, 3, 2}, 0, true},   [3] = {{3, 2, 1, 0}, 180, false}, [4] = {{2, 3, 0, 1}, 180, true},
    [5] = {{0, 2, 1, 3}, 90, true}, [6] = {{2, 0, 3, 1}, 90, false}, [7] = {{3, 1, 2, 0}, 270, true},  [8] = {{1, 3, 0, 2}, 270, false},
};

static void check_orientation(const char *path, int n, uint32_t width, uint32_t height)
{
    struct pipe_source *source = open_source(path);
    const struct pipe_source_info *info = pipe_source_info(source);
    struct pipe_frame frame;
    int found[4];

    CU_ASSERT_EQUAL(info->rotation, orientations[n].rotation);
    CU_ASSERT_EQUAL(info->flipped, orientations[n].flipped);
    CU_ASSERT_EQUAL(info->format.width, n > 4 ? height : width);
    CU_ASSERT_EQUAL(info->format.height, n > 4 ? width : height);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    corners(&frame, found);
    if (memcmp(found, orientations[n].corner, sizeof found))
        fprintf(stderr, "%s: orientation %d: %d %d %d %d\n", path, n, found[0], found[1], found[2], found[3]);
    CU_ASSERT(!memcmp(found, orientations[n].corner, sizeof found));
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

static void write_quadrants(const char *path, uint32_t width, uint32_t height)
{
    struct picture p = picture_quadrants(width, height);
    struct segman_error error = {0};
    struct pipe_sink *sink = pipe_sink_open(&(struct pipe_sink_params){.output = path, .format = p.format}, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    for (int i = 0; i < (g_str_has_suffix(path, ".mp4") ? 3 : 1); i++)
        CU_ASSERT(pipe_sink_write(sink, (const uint8_t *const *)p.plane, p.stride, i * 40000000LL, 40000000, NULL, &error));
    CU_ASSERT(pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    picture_free(&p);
}

static void test_exif(void)
{
    const char *plain = in_folder("plain.jpg");
    char *data;
    gsize size;

    write_quadrants(plain, 61, 37);
    CU_ASSERT_FATAL(g_file_get_contents(plain, &data, &size, NULL));
    for (int n = 1; n <= 8; n++) {
        const char *path = in_folder("exif%d.jpg", n);
        uint8_t exif[] = {0xff, 0xe1, 0, 34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M',        0, 42, 0, 0, 0, 8,
                          0,    1,    1, 0x12, 0,   3,   0,   0,   0, 1, 0,   (uint8_t)n, 0, 0,  0, 0, 0, 0};
        GString *file = g_string_new_len(data, 2);
        g_string_append_len(file, (char *)exif, sizeof exif);
        g_string_append_len(file, data + 2, (gssize)size - 2);
        CU_ASSERT(g_file_set_contents(path, file->str, (gssize)file->len, NULL));
        g_string_free(file, TRUE);
        check_orientation(path, n, 61, 37);
    }
    g_free(data);
}

/** Writes a display matrix into the first track header of an MP4. */
static void set_matrix(const char *from, const char *to, const int matrix[4])
{
    char *data;
    gsize size;
    uint8_t *at;
    CU_ASSERT_FATAL(g_file_get_contents(from, &data, &size, NULL));
    at = NULL; /* the last: mp4mux leaves a first one behind in the data */
    for (uint8_t *next = (uint8_t *)data; (next = memmem(next, size - (size_t)(next - (uint8_t *)data), "tkhd", 4)); next++)
        at = next;
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at += 4 + 40; /* content: version, times, track, duration, layer, volume; then the matrix */
    set32(at, (uint32_t)matrix[0] * 65536);
    set32(at + 4, (uint32_t)matrix[1] * 65536);
    set32(at + 12, (uint32_t)matrix[2] * 65536);
    set32(at + 16, (uint32_t)matrix[3] * 65536);
    CU_ASSERT(g_file_set_contents(to, data, (gssize)size, NULL));
    g_free(data);
}

static void test_display_matrix(void)
{
    static const int matrices[9][4] = {{0}, {1, 0, 0, 1}, {0}, {-1, 0, 0, -1}, {0}, {0}, {0, 1, -1, 0}, {0}, {0, -1, 1, 0}};
    static const int kinds[] = {1, 3, 6, 8};
    const char *plain = in_folder("plain.mp4");

    write_quadrants(plain, 66, 38);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const char *path = in_folder("matrix%d.mp4", kinds[i]);
        set_matrix(plain, path, matrices[kinds[i]]);
        check_orientation(path, kinds[i], 66, 38);
    }
}

/** A rotated file's copy is upright, and says nothing of rotation any more. */
static void test_tag_cleared(void)
{
    static const int matrix[4] = {0, 1, -1, 0};
    const char *plain = in_folder("plain.mp4"), *turned = in_folder("turned.mp4"), *copy = in_folder("copy.mp4");
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_sink *sink;
    struct pipe_frame frame;
    int found[4];

    write_quadrants(plain, 66, 38);
    set_matrix(plain, turned, matrix);
    source = open_source(turned);
    sink = pipe_sink_open(&(struct pipe_sink_params){.output = copy, .format = pipe_source_info(source)->format, .source = source}, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    while (pipe_source_read(source, &frame, &error) == PIPE_FRAME) {
        CU_ASSERT(pipe_sink_write(sink, frame.plane, frame.stride, frame.pts_ns, frame.duration_ns, NULL, &error));
        pipe_frame_release(&frame);
    }
    CU_ASSERT(pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    pipe_source_destroy(source);
    source = open_source(copy);
    CU_ASSERT_EQUAL(pipe_source_info(source)->rotation, 0);
    CU_ASSERT_EQUAL(pipe_source_info(source)->format.width, 38);
    CU_ASSERT_EQUAL(pipe_source_read(source, &frame, &error), PIPE_FRAME);
    corners(&frame, found);
    CU_ASSERT(!memcmp(found, orientations[6].corner, sizeof found));
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

/* ---- formats --------------------------------------------------------------------------------- */

static void check_format(const char *caps, const char *extra, enum segman_pixel_format expected, uint32_t w, uint32_t h)
{
    const char *path = in_folder("format.mkv");
    struct pipe_source *source;
    struct pipe_frame frame;
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=2 ! video/x-raw,%s,width=%u,height=%u,framerate=25/1 ! %s ! matroskamux ! filesink"
                     " location=%s",
                     caps, w, h, extra, path));
    source = open_source(path);
    CU_ASSERT_EQUAL(pipe_source_info(source)->format.format, expected);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT_EQUAL(frame.format.width, w);
    CU_ASSERT_EQUAL(frame.format.height, h);
    CU_ASSERT_EQUAL(frame.pts_ns, 0);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

/** As they come where they can; 10 bits, 4:2:2, 4:4:4 and gray to the nearest. */
static void test_formats(void)
{
    check_format("format=I420", "avenc_ffv1", SEGMAN_FORMAT_I420, 33, 17);
    check_format("format=YUY2", "identity", SEGMAN_FORMAT_I420, 34, 18);
    check_format("format=BGRx", "avenc_ffv1", SEGMAN_FORMAT_BGRX, 33, 17);
    check_format("format=I420_10LE", "avenc_ffv1", SEGMAN_FORMAT_I420, 33, 17);
    check_format("format=Y444", "avenc_ffv1", SEGMAN_FORMAT_I420, 33, 17);
    check_format("format=Y42B", "avenc_ffv1", SEGMAN_FORMAT_I420, 34, 18);
    check_format("format=GRAY8", "avenc_ffv1", SEGMAN_FORMAT_I420, 33, 17);
}

/** PQ: brought to the standard range, brighter than its bare signal, and said so. */
static void test_hdr(void)
{
    const char *path = in_folder("pq.mkv");
    struct pipe_source *source;
    struct pipe_frame frame;
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xff808080 ! video/x-raw,format=I420_10LE,"
                     "width=64,height=48,colorimetry=bt2100-pq ! x264enc ! h264parse ! matroskamux ! filesink location=%s",
                     path));
    source = open_source(path);
    CU_ASSERT(pipe_source_info(source)->hdr);
    CU_ASSERT_EQUAL(pipe_source_info(source)->format.matrix, SEGMAN_MATRIX_BT2020);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT(frame.plane[0][0] > 140 && frame.plane[0][0] < 220); /* 126 as a bare signal: about 93 cd/m2 */
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

/** Two sizes in one stream: the frames' format changes, none is lost. */
static void test_size_change(void)
{
    const char *first = in_folder("a.h264"), *second = in_folder("b.h264"), *both = in_folder("both.h264");
    char *a = NULL, *b = NULL, *joined;
    gsize n = 0, m = 0;
    struct pipe_source *source;
    struct pipe_frame frame;
    unsigned small = 0, large = 0;

    for (int i = 0; i < 2; i++)
        CU_ASSERT_FATAL(run_pipeline("videotestsrc num-buffers=10 ! video/x-raw,format=I420,width=%d,height=%d ! x264enc bframes=0 !"
                                     " video/x-h264,stream-format=byte-stream ! filesink location=%s",
                                     i ? 160 : 64, i ? 96 : 48, i ? second : first));
    CU_ASSERT_FATAL(g_file_get_contents(first, &a, &n, NULL) && g_file_get_contents(second, &b, &m, NULL));
    joined = g_malloc(n + m);
    memcpy(joined, a, n);
    memcpy(joined + n, b, m);
    CU_ASSERT(g_file_set_contents(both, joined, (gssize)(n + m), NULL));
    g_free(a);
    g_free(b);
    g_free(joined);
    source = open_source(both);
    while (pipe_source_read(source, &frame, NULL) == PIPE_FRAME) {
        small += frame.format.width == 64 && frame.format.height == 48;
        large += frame.format.width == 160 && frame.format.height == 96;
        pipe_frame_release(&frame);
    }
    CU_ASSERT_EQUAL(small, 10);
    CU_ASSERT_EQUAL(large, 10);
    pipe_source_destroy(source);
}

int main(void)
{
    static const struct named_test tests[] = {
        {"test pattern", test_pattern},  {"stop from another thread", test_stop}, {"destroyed unread", test_unread},
        {"Exif orientation", test_exif}, {"display matrix", test_display_matrix}, {"rotation tag cleared", test_tag_cleared},
        {"pixel formats", test_formats}, {"high dynamic range", test_hdr},        {"size change", test_size_change},
        {"read in part", test_short},    {"cancelled", test_cancelled},           {NULL, NULL},
    };
    return run_tests("source", tests);
}
