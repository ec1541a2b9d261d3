/* SPDX-License-Identifier: Apache-2.0 */
/* Video files: times, sizes, colour, labels, other streams, names. Everything written is read back. */
#include "support.h"

#include <string.h>

/* Irregular times, not from zero, as a camera or a screen recorder makes them. */
static const int64_t irregular[] = {21000000,  54000000,  88000000,  154000000,  188000000,
                                    655000000, 688000000, 701000000, 1168000000, 1201000000};
enum { IRREGULAR = G_N_ELEMENTS(irregular) };

static struct segman_frame_format small_format(enum segman_pixel_format format, uint32_t width, uint32_t height)
{
    return (struct segman_frame_format){.format = format, .width = width, .height = height, .matrix = SEGMAN_MATRIX_BT601};
}

static const char *codec_file(const char *extension, const char *codec)
{
    return in_folder("%s%s", codec, extension);
}

static void check_times(const char *extension, const char *codec)
{
    const char *path = codec_file(extension, codec);
    struct pipe_sink_params params = {.output = path, .format = small_format(SEGMAN_FORMAT_I420, 64, 48), .codec = codec};
    struct pipe_source *source;
    struct pipe_frame frame;
    unsigned count = 0;

    write_pictures(&params, irregular, IRREGULAR);
    source = open_source(path);
    while (pipe_source_read(source, &frame, NULL) == PIPE_FRAME) {
        struct picture p = picture_make(params.format, count);
        if (count < IRREGULAR) {
            if (llabs(frame.pts_ns - irregular[count]) > 1000000)
                fprintf(stderr, "%s: frame %u at %lld\n", path, count, (long long)frame.pts_ns);
            CU_ASSERT(llabs(frame.pts_ns - irregular[count]) <= 1000000);
            CU_ASSERT(picture_mean_difference(&p, &frame) < 4.5); /* the right picture at that time: the next differs by 9 */
        }
        picture_free(&p);
        pipe_frame_release(&frame);
        count++;
    }
    CU_ASSERT_EQUAL(count, IRREGULAR);
    CU_ASSERT_EQUAL(pipe_source_corrupt(source), 0);
    pipe_source_destroy(source);
}

static void test_times(void)
{
    check_times(".mp4", "h264");
    check_times(".mov", "h264");
    check_times(".mkv", "h264");
    check_times(".mkv", "ffv1");
    check_times(".webm", "vp9");
    check_times(".webm", "vp8");
}

/** VP9, VP8 and FFV1 keep odd sizes; H.264 is padded, says so, and repeats the border. */
static void check_odd(const char *extension, const char *codec, bool padded)
{
    const char *path = codec_file(extension, codec);
    struct pipe_sink_params params = {
        .output = path, .format = small_format(SEGMAN_FORMAT_NV12, 65, 47), .codec = codec, .fps_num = 25, .fps_den = 1};
    struct pipe_source *source;
    struct pipe_frame frame;

    write_pictures(&params, (const int64_t[]){0, 40000000}, 2);
    source = open_source(path);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT_EQUAL(frame.format.width, padded ? 66 : 65);
    CU_ASSERT_EQUAL(frame.format.height, padded ? 48 : 47);
    if (padded) {
        CU_ASSERT(abs(frame.plane[0][65] - frame.plane[0][64]) < 24);
        CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "65x47 is padded to 66x48"));
    }
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

static void test_odd_sizes(void)
{
    check_odd(".mkv", "ffv1", false);
    check_odd(".webm", "vp9", false);
    check_odd(".webm", "vp8", false);
    CU_ASSERT_PTR_NULL(strstr(logged(), "padded"));
    check_odd(".mp4", "h264", true);
}

static void check_colour(const char *extension, enum segman_matrix matrix, enum segman_range range, enum segman_chroma_site site)
{
    struct segman_frame_format format = {SEGMAN_FORMAT_NV12, 64, 48, matrix, range, site};
    const char *path = in_folder("colour%s", extension);
    struct pipe_sink_params params = {.output = path, .format = format, .overwrite = true, .fps_num = 25, .fps_den = 1};
    struct pipe_source *source;
    const struct segman_frame_format *found;

    write_pictures(&params, (const int64_t[]){0, 40000000}, 2);
    source = open_source(path);
    found = &pipe_source_info(source)->format;
    CU_ASSERT_EQUAL(found->matrix, matrix);
    CU_ASSERT_EQUAL(found->range, range);
    if (found->range != range || found->matrix != matrix)
        fprintf(stderr, "%s: matrix %d for %d, range %d for %d\n", extension, found->matrix, matrix, found->range, range);
    if (strcmp(extension, ".webm")) /* VP9 has no place for it */
        CU_ASSERT_EQUAL(found->site, site);
    pipe_source_destroy(source);
}

static void test_colour(void)
{
    for (int matrix = SEGMAN_MATRIX_BT601; matrix <= SEGMAN_MATRIX_BT2020; matrix++)
        for (int range = SEGMAN_RANGE_LIMITED; range <= SEGMAN_RANGE_FULL; range++) {
            check_colour(".mp4", (enum segman_matrix)matrix, (enum segman_range)range, SEGMAN_CHROMA_LEFT);
            check_colour(".webm", (enum segman_matrix)matrix, (enum segman_range)range, SEGMAN_CHROMA_LEFT);
        }
    check_colour(".mp4", SEGMAN_MATRIX_BT601, SEGMAN_RANGE_FULL, SEGMAN_CHROMA_CENTER);
    check_colour(".mkv", SEGMAN_MATRIX_BT601, SEGMAN_RANGE_LIMITED, SEGMAN_CHROMA_CENTER);
}

/** Copies a whole source into a file with its streams. */
static void copy(const char *from, const char *to)
{
    struct segman_error error = {0};
    struct pipe_source *source = open_source(from);
    const struct pipe_source_info *info = pipe_source_info(source);
    struct pipe_sink_params params = {
        .output = to, .format = info->format, .fps_num = info->fps_num, .fps_den = info->fps_den, .source = source};
    struct pipe_sink *sink = pipe_sink_open(&params, &error);
    struct pipe_frame frame;

    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    while (pipe_source_read(source, &frame, &error) == PIPE_FRAME) {
        CU_ASSERT(pipe_sink_write(sink, frame.plane, frame.stride, frame.pts_ns, frame.duration_ns, NULL, &error));
        pipe_frame_release(&frame);
    }
    CU_ASSERT(pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    pipe_source_destroy(source);
}

/** Colour that the frame format has no name for, and the shape of pixels, come from the source. */
static void test_source_look(void)
{
    const char *path = in_folder("look.mkv"), *out = in_folder("out.mp4");
    struct pipe_source *source;
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=60,height=48,framerate=25/1,pixel-aspect-ratio=4/3,"
                     "colorimetry=2:3:7:1 ! x264enc ! h264parse ! matroskamux ! filesink location=%s",
                     path));
    copy(path, out);
    source = open_source(out);
    CU_ASSERT_STRING_EQUAL(pipe_source_info(source)->colorimetry, "2:3:7:1");
    CU_ASSERT_EQUAL(pipe_source_info(source)->par_num, 4);
    CU_ASSERT_EQUAL(pipe_source_info(source)->par_den, 3);
    pipe_source_destroy(source);
}

/** RGB views are coded with the source's matrix, and come back as the same colours. */
static void test_rgb(void)
{
    const char *path = in_folder("rgb.mp4"), *image = in_folder("rgb.png");
    struct picture p = picture_quadrants(64, 48);
    struct segman_error error = {0};
    struct pipe_sink *sink = pipe_sink_open(&(struct pipe_sink_params){.output = path, .format = p.format}, &error);
    struct pipe_source *source;
    struct pipe_frame frame;

    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    for (int i = 0; i < 3; i++)
        CU_ASSERT(pipe_sink_write(sink, (const uint8_t *const *)p.plane, p.stride, i * 40000000LL, -1, NULL, &error));
    CU_ASSERT(pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    source = open_source(path);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    sink = pipe_sink_open(&(struct pipe_sink_params){.output = image, .format = frame.format, .source = source}, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT(pipe_sink_write(sink, frame.plane, frame.stride, 0, -1, NULL, &error) && pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
    source = open_source(image);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    for (uint32_t y = 8; y < 48; y += 24)
        for (uint32_t x = 8; x < 64; x += 32)
            for (uint32_t c = 0; c < 4; c++)
                CU_ASSERT(abs(frame.plane[0][(size_t)y * frame.stride[0] + 4 * x + c] - p.plane[0][(size_t)y * p.stride[0] + 4 * x + c]) <
                          12);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
    picture_free(&p);
}

/** Labels in FFV1 come back bit by bit, in their own odd size, as gray. */
static void test_labels(void)
{
    const char *path = in_folder("labels.mkv"), *raw = in_folder("labels.gray");
    struct pipe_sink_params params = {.output = path, .format = {.width = 61, .height = 37}, .gray = true};
    char *data;
    gsize size;

    write_pictures(&params, irregular, 3);
    CU_ASSERT_FATAL(run_pipeline(
        "filesrc location=%s ! matroskademux ! avdec_ffv1 ! videoconvert ! video/x-raw,format=GRAY8 ! filesink location=%s", path, raw));
    CU_ASSERT_FATAL(g_file_get_contents(raw, &data, &size, NULL));
    CU_ASSERT_EQUAL_FATAL(size, 3u * 64 * 37);
    for (unsigned i = 0; i < 3; i++) {
        struct picture p = picture_gray(61, 37, i);
        for (uint32_t y = 0; y < 37; y++)
            CU_ASSERT(!memcmp(data + (i * 37 + y) * 64, p.plane[0] + y * p.stride[0], 61));
        picture_free(&p);
    }
    g_free(data);
    params.output = in_folder("labels.mp4");
    expect_sink_error(&params, "labels must be kept exactly");
}

/* ---- other streams --------------------------------------------------------------------------- */

static void check_same_audio(const char *from, const char *to)
{
    struct packets a = read_packets(from, "audio/"), b;
    copy(from, to);
    b = read_packets(to, "audio/");
    CU_ASSERT(a.count > 10);
    CU_ASSERT_EQUAL(a.count, b.count);
    CU_ASSERT_STRING_EQUAL(a.checksum, b.checksum);
    CU_ASSERT(llabs(a.first_ns - b.first_ns) <= 1000000);
    CU_ASSERT(llabs(a.last_ns - b.last_ns) <= 1000000);
}

static void test_audio(void)
{
    const char *vorbis = in_folder("vorbis.mkv"), *opus = in_folder("opus.webm"), *flac = in_folder("flac.mkv");
    static const char *const start = "videotestsrc num-buffers=30 ! video/x-raw,width=64,height=48,framerate=25/1 ! vp8enc deadline=1";

    CU_ASSERT_FATAL(
        run_pipeline("%s ! matroskamux name=m ! filesink location=%s audiotestsrc num-buffers=60 ! vorbisenc ! queue ! m.", start, vorbis));
    CU_ASSERT_FATAL(
        run_pipeline("%s ! webmmux name=m ! filesink location=%s audiotestsrc num-buffers=60 ! opusenc ! queue ! m.", start, opus));
    CU_ASSERT_FATAL(
        run_pipeline("%s ! matroskamux name=m ! filesink location=%s audiotestsrc num-buffers=60 ! flacenc ! queue ! m.", start, flac));
    check_same_audio(vorbis, in_folder("vorbis-out.mkv"));
    check_same_audio(vorbis, in_folder("vorbis-out.webm"));
    check_same_audio(opus, in_folder("opus-out.webm"));
    check_same_audio(opus, in_folder("opus-out.mkv"));
    check_same_audio(flac, in_folder("flac-out.mkv"));
    CU_ASSERT_PTR_NULL(strstr(logged(), "left out"));
    copy(flac, in_folder("flac-out.mp4"));
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "flac-out.mp4: audio (Free Lossless Audio Codec (FLAC)) cannot be stored in MP4"));
    CU_ASSERT_EQUAL(read_packets(in_folder("flac-out.mp4"), "audio/").count, 0);
}

/** Subtitles, with nothing for seconds: the text and times stay, and the muxer is not held up. */
static void test_subtitles(void)
{
    const char *text = in_folder("text.srt"), *in = in_folder("in.mkv"), *out = in_folder("out.mkv");
    struct packets a, b;
    CU_ASSERT(g_file_set_contents(text, "1\n00:00:00,500 --> 00:00:01,000\nOne\n\n2\n00:00:08,000 --> 00:00:09,000\nTwo\n\n", -1, NULL));
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=250 ! video/x-raw,width=64,height=48,framerate=25/1 ! vp8enc deadline=1 ! matroskamux name=m"
                     " ! filesink location=%s filesrc location=%s ! subparse ! text/x-raw,format=pango-markup ! capssetter"
                     " caps=text/x-raw,format=utf8 replace=true ! queue ! m.",
                     in, text));
    a = read_packets(in, "text/");
    copy(in, out);
    b = read_packets(out, "text/");
    CU_ASSERT_EQUAL(a.count, 2);
    CU_ASSERT_EQUAL(b.count, 2);
    CU_ASSERT_STRING_EQUAL(a.checksum, b.checksum);
    CU_ASSERT(llabs(a.last_ns - b.last_ns) <= 1000000);
}

/** Stopped in the middle: the audio ends with the video. */
static void test_early_close(void)
{
    const char *in = in_folder("in.mkv"), *out = in_folder("out.mkv");
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_sink *sink;
    struct pipe_frame frame;
    struct packets all, some;

    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=100 ! video/x-raw,width=64,height=48,framerate=25/1 ! vp8enc deadline=1 ! matroskamux name=m"
                     " ! filesink location=%s audiotestsrc num-buffers=172 ! vorbisenc ! queue ! m.",
                     in));
    source = open_source(in);
    sink = pipe_sink_open(&(struct pipe_sink_params){.output = out, .format = pipe_source_info(source)->format, .source = source}, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    for (int i = 0; i < 25 && pipe_source_read(source, &frame, &error) == PIPE_FRAME; i++) {
        CU_ASSERT(pipe_sink_write(sink, frame.plane, frame.stride, frame.pts_ns, frame.duration_ns, NULL, &error));
        pipe_frame_release(&frame);
    }
    pipe_source_stop(source);
    CU_ASSERT(pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    pipe_source_destroy(source);
    all = read_packets(in, "audio/");
    some = read_packets(out, "audio/");
    CU_ASSERT(some.count > 10 && some.count < all.count);
    CU_ASSERT(some.last_ns > 900000000 && some.last_ns < 2100000000);
}

/** A source that is only looked at: the sink does not take its streams. */
static void test_video_only(void)
{
    const char *in = in_folder("in.mkv"), *out = in_folder("out.mkv");
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_sink *sink;
    struct pipe_frame frame;
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=400 ! video/x-raw,width=64,height=48,framerate=25/1 ! vp8enc deadline=1 ! matroskamux name=m"
                     " ! filesink location=%s audiotestsrc num-buffers=680 ! vorbisenc ! queue ! m.",
                     in));
    source = open_source(in);
    sink = pipe_sink_open(
        &(struct pipe_sink_params){.output = out, .format = pipe_source_info(source)->format, .source = source, .video_only = true},
        &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    while (pipe_source_read(source, &frame, &error) == PIPE_FRAME) {
        CU_ASSERT(pipe_sink_write(sink, frame.plane, frame.stride, frame.pts_ns, frame.duration_ns, NULL, &error));
        pipe_frame_release(&frame);
    }
    CU_ASSERT(pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    pipe_source_destroy(source);
    CU_ASSERT_EQUAL(read_packets(out, "audio/").count, 0);
    CU_ASSERT_EQUAL(read_packets(out, "video/").count, 400);
}

/** Codec, bitrate and what the sink says of itself. */
static void test_choice(void)
{
    struct pipe_sink_params params = {.output = in_folder("a.mp4"), .format = small_format(SEGMAN_FORMAT_I420, 64, 48), .codec = "x264enc"};
    struct pipe_sink *sink;
    struct segman_error error = {0};

    params.bitrate = 500000;
    sink = pipe_sink_open(&params, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT_STRING_EQUAL(pipe_sink_describe(sink), "H.264 (x264enc) in MP4");
    pipe_sink_destroy(sink);
    params.codec = "mpeg9";
    expect_sink_error(&params, "unknown codec mpeg9");
    params.codec = "vp8";
    expect_sink_error(&params, "MP4 files cannot hold VP8");
    params.codec = NULL;
    params.format.width = 0;
    expect_sink_error(&params, "cannot write frames of 0x48");
    CU_ASSERT_EQUAL(files_in_folder(), 0);
}

int main(void)
{
    static const struct named_test tests[] = {
        {"times", test_times},
        {"odd sizes", test_odd_sizes},
        {"colorimetry", test_colour},
        {"look of the source", test_source_look},
        {"RGB", test_rgb},
        {"labels", test_labels},
        {"audio", test_audio},
        {"subtitles", test_subtitles},
        {"early close", test_early_close},
        {"video only", test_video_only},
        {"choice of encoder", test_choice},
        {NULL, NULL},
    };
    return run_tests("sink", tests);
}
