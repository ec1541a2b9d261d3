/* SPDX-License-Identifier: Apache-2.0 */
/* Images: exact pixels, indexed PNG, sequences in and out, names. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>
#include <png.h>

static const uint8_t palette[256][4] = {{0, 0, 0, 255}, {255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 128}, [255] = {9, 8, 7, 0}};

static bool write_one(const char *path, const struct picture *p, const struct pipe_sink_params *base)
{
    struct pipe_sink_params params = base ? *base : (struct pipe_sink_params){0};
    struct pipe_sink *sink;
    bool ok;
    params.output = path;
    params.format = p->format;
    sink = pipe_sink_open(&params, NULL);
    ok = sink && pipe_sink_write(sink, (const uint8_t *const *)p->plane, p->stride, 0, -1, NULL, NULL) && pipe_sink_close(sink, NULL);
    pipe_sink_destroy(sink);
    return ok;
}

/** An RGBA picture, alpha and odd size included, through PNG and back, to the bit. */
static void test_exact(void)
{
    struct segman_frame_format format = {.format = SEGMAN_FORMAT_RGBA, .width = 33, .height = 17};
    struct picture p = picture_make(format, 3);
    const char *path = in_folder("x.png");
    struct pipe_source *source;
    struct pipe_frame frame;

    CU_ASSERT_FATAL(write_one(path, &p, NULL));
    CU_ASSERT_EQUAL(files_in_folder(), 1);
    source = open_source(path);
    CU_ASSERT_EQUAL(pipe_source_info(source)->kind, PIPE_KIND_IMAGE);
    CU_ASSERT_EQUAL(pipe_source_info(source)->frames, 1);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT_EQUAL(frame.format.format, SEGMAN_FORMAT_RGBA);
    CU_ASSERT_EQUAL(picture_difference(&p, &frame), 0);
    CU_ASSERT_STRING_EQUAL(frame.name, "x.png");
    CU_ASSERT_EQUAL(frame.pts_ns, 0);
    pipe_frame_release(&frame);
    CU_ASSERT_EQUAL(pipe_source_read(source, &frame, NULL), PIPE_END);
    pipe_source_destroy(source);
    picture_free(&p);
}

/** The kind is found from the content: an image by a wrong name, or by none. */
static void test_content(void)
{
    struct picture p = picture_quadrants(32, 24);
    const char *path = in_folder("x.png"), *wrong = in_folder("video.mp4");
    struct pipe_source *source;
    CU_ASSERT_FATAL(write_one(path, &p, NULL));
    CU_ASSERT_EQUAL(g_rename(path, wrong), 0);
    source = open_source(wrong);
    CU_ASSERT_EQUAL(pipe_source_info(source)->kind, PIPE_KIND_IMAGE);
    pipe_source_destroy(source);
    picture_free(&p);
}

/** A frame's colours in the middle of each quadrant, as RGB. */
static void check_quadrants(const char *path, const struct picture *p)
{
    struct pipe_source *source = open_source(path);
    struct pipe_frame frame;
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT_EQUAL_FATAL(frame.format.format, SEGMAN_FORMAT_RGBA);
    for (uint32_t y = 8; y < 48; y += 24)
        for (uint32_t x = 8; x < 64; x += 32)
            for (uint32_t c = 0; c < 3; c++)
                CU_ASSERT(abs(frame.plane[0][(size_t)y * frame.stride[0] + 4 * x + c] - p->plane[0][(size_t)y * p->stride[0] + 4 * x + c]) <
                          12);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
}

/** JPEG out and in: the colours stay; one with halved chroma comes as it is, which is full range by definition. */
static void test_jpeg(void)
{
    struct picture p = picture_quadrants(64, 48);
    const char *jpeg = in_folder("x.jpg"), *half = in_folder("half.jpg"), *png = in_folder("x.png");
    struct pipe_source *source;
    struct pipe_frame frame;
    struct pipe_sink *sink;

    CU_ASSERT_FATAL(write_one(jpeg, &p, NULL));
    check_quadrants(jpeg, &p);
    CU_ASSERT_FATAL(
        run_pipeline("filesrc location=%s ! jpegdec ! videoconvert ! video/x-raw,format=I420,colorimetry=1:4:0:0 ! jpegenc ! filesink"
                     " location=%s",
                     jpeg, half));
    source = open_source(half);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT_EQUAL(frame.format.format, SEGMAN_FORMAT_I420);
    CU_ASSERT_EQUAL(frame.format.range, SEGMAN_RANGE_FULL);
    CU_ASSERT_EQUAL(frame.format.matrix, SEGMAN_MATRIX_BT601);
    CU_ASSERT_EQUAL(frame.format.site, SEGMAN_CHROMA_CENTER);
    sink = pipe_sink_open(&(struct pipe_sink_params){.output = png, .format = frame.format, .source = source}, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT(pipe_sink_write(sink, frame.plane, frame.stride, 0, -1, NULL, NULL) && pipe_sink_close(sink, NULL));
    pipe_sink_destroy(sink);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
    check_quadrants(png, &p);
    picture_free(&p);
}

/** What libpng finds in a file of labels. */
static void check_labels(const char *path, const struct picture *p, bool indexed)
{
    FILE *file = fopen(path, "rb");
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep *rows, alpha = NULL;
    png_colorp colours;
    int count, translucent;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    png_init_io(png, file);
    png_read_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    CU_ASSERT_EQUAL(png_get_color_type(png, info), indexed ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY);
    CU_ASSERT_EQUAL(png_get_bit_depth(png, info), 8);
    CU_ASSERT_EQUAL(png_get_image_width(png, info), p->format.width);
    CU_ASSERT_EQUAL(png_get_image_height(png, info), p->format.height);
    rows = png_get_rows(png, info);
    for (uint32_t y = 0; y < p->format.height; y++)
        CU_ASSERT(!memcmp(rows[y], p->plane[0] + (size_t)y * p->stride[0], p->format.width));
    if (indexed) {
        CU_ASSERT(png_get_PLTE(png, info, &colours, &count) && count == 256);
        for (int i = 0; i < 256; i++)
            CU_ASSERT(colours[i].red == palette[i][0] && colours[i].green == palette[i][1] && colours[i].blue == palette[i][2]);
        CU_ASSERT(png_get_tRNS(png, info, &alpha, &translucent, NULL) && translucent == 256);
        CU_ASSERT(alpha && alpha[1] == 255 && alpha[3] == 128 && alpha[255] == 0);
    }
    png_destroy_read_struct(&png, &info, NULL);
    fclose(file);
}

static void test_labels(void)
{
    struct picture p = picture_gray(61, 37, 5);
    const char *indexed = in_folder("indexed.png"), *gray = in_folder("gray.png");
    CU_ASSERT_FATAL(write_one(indexed, &p, &(struct pipe_sink_params){.gray = true, .palette = palette}));
    CU_ASSERT_FATAL(write_one(gray, &p, &(struct pipe_sink_params){.gray = true}));
    check_labels(indexed, &p, true);
    check_labels(gray, &p, false);
    CU_ASSERT(!write_one(in_folder("labels.jpg"), &p, &(struct pipe_sink_params){.gray = true}));
    CU_ASSERT_EQUAL(files_in_folder(), 2);
    picture_free(&p);
}

static void make_sequence(const char *folder)
{
    static const char *const names[] = {"frame1.png", "frame2.png", "frame10.png", "frame9.png"};
    g_mkdir(folder, 0777);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct picture p = picture_make((struct segman_frame_format){.format = SEGMAN_FORMAT_RGBA, .width = 32 + 2 * i, .height = 24}, i);
        char *path = g_build_filename(folder, names[i], NULL);
        CU_ASSERT(write_one(path, &p, NULL));
        g_free(path);
        picture_free(&p);
    }
}

/** Natural order, times from the rate, sizes that change, and a damaged file that is skipped and counted. */
static void check_sequence(const char *input, const char *const *names, const uint32_t *widths, unsigned expected, uint64_t corrupt)
{
    struct pipe_source *source = pipe_source_open(&(struct pipe_source_params){.input = input, .image_fps = 12.5}, NULL);
    struct pipe_frame frame;
    unsigned count = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(pipe_source_info(source)->kind, PIPE_KIND_IMAGES);
    CU_ASSERT_EQUAL(pipe_source_info(source)->frames, (int64_t)(expected + corrupt));
    while (pipe_source_read(source, &frame, NULL) == PIPE_FRAME && count < expected) {
        CU_ASSERT_STRING_EQUAL(frame.name, names[count]);
        CU_ASSERT_EQUAL(frame.format.width, widths[count]);
        CU_ASSERT_EQUAL(frame.pts_ns, count * 80000000LL);
        CU_ASSERT_EQUAL(frame.duration_ns, 80000000LL);
        pipe_frame_release(&frame);
        count++;
    }
    CU_ASSERT_EQUAL(count, expected);
    CU_ASSERT_EQUAL(pipe_source_corrupt(source), corrupt);
    pipe_source_destroy(source);
}

static void test_sequence(void)
{
    static const char *const names[] = {"frame1.png", "frame2.png", "frame9.png", "frame10.png"};
    static const uint32_t widths[] = {32, 34, 38, 36};
    const char *folder = in_folder("in"), *damaged;

    make_sequence(folder);
    check_sequence(folder, names, widths, 4, 0);
    check_sequence(in_folder("in/frame%%d.png"), names, widths, 4, 0);
    check_sequence(in_folder("in/frame%%02d.png"), names + 3, widths + 3, 1, 0);
    CU_ASSERT(g_file_set_contents(in_folder("in/notes.txt"), "not an image", -1, NULL));
    damaged = in_folder("in/frame3.png");
    CU_ASSERT(g_file_set_contents(damaged, "\x89PNG\r\n\x1a\n nothing more", -1, NULL));
    check_sequence(folder, names, widths, 4, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "frame3.png"));
}

/** A folder keeps the stems, a pattern counts from one; what exists is refused, or overwritten when asked. */
static void test_sequence_out(void)
{
    struct picture p = picture_gray(16, 8, 0);
    struct pipe_sink_params params = {.output = in_folder("out/"), .format = p.format, .gray = true, .palette = palette};
    struct pipe_sink *sink = pipe_sink_open(&params, NULL);
    const uint8_t *const *plane = (const uint8_t *const *)p.plane;

    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT(pipe_sink_write(sink, plane, p.stride, 0, -1, "one.jpg", NULL));
    CU_ASSERT(pipe_sink_write(sink, plane, p.stride, 1, -1, "one.png", NULL));
    CU_ASSERT(pipe_sink_write(sink, plane, p.stride, 2, -1, NULL, NULL));
    CU_ASSERT(pipe_sink_close(sink, NULL));
    pipe_sink_destroy(sink);
    check_labels(in_folder("out/one.png"), &p, true);
    check_labels(in_folder("out/one.png.png"), &p, true);
    check_labels(in_folder("out/frame-000003.png"), &p, true);
    expect_sink_error(&params, "is not empty");
    params.output = in_folder("out/n-%%03d.png");
    sink = pipe_sink_open(&params, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT(pipe_sink_write(sink, plane, p.stride, 0, -1, NULL, NULL));
    CU_ASSERT(pipe_sink_write(sink, plane, p.stride, 0, -1, NULL, NULL));
    CU_ASSERT(pipe_sink_close(sink, NULL));
    pipe_sink_destroy(sink);
    check_labels(in_folder("out/n-002.png"), &p, true);
    expect_sink_error(&params, "exists already");
    params.overwrite = true;
    sink = pipe_sink_open(&params, NULL);
    CU_ASSERT_PTR_NOT_NULL(sink);
    pipe_sink_destroy(sink);
    check_labels(in_folder("out/n-001.png"), &p, true);
    picture_free(&p);
}

/** What would be read in part only is said so. */
static void test_animation(void)
{
    static const char gif[] = "GIF89a\x40\0\x30\0\0\0\0!\xff\x0bNETSCAPE2.0\3\1\0\0\0;";
    const char *path = in_folder("moving.gif");
    bool image = false;

    CU_ASSERT_FATAL(g_file_set_contents(path, gif, sizeof gif, NULL));
    CU_ASSERT(pipe_probe_file(path, path, &image, NULL));
    CU_ASSERT(image);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "is an animation"));
}

/** Writes a picture and one of another size to one output; whether it took both. */
static bool write_two(const char *path, bool gray, const struct picture *a, const struct picture *b, const char *const names[2])
{
    struct pipe_sink *sink = pipe_sink_open(&(struct pipe_sink_params){.output = path, .format = a->format, .gray = gray}, NULL);
    struct segman_error error = {0};
    bool changed;

    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT(pipe_sink_write(sink, (const uint8_t *const *)a->plane, a->stride, 0, -1, names[0], NULL));
    changed = pipe_sink_change(sink, &b->format, &error);
    CU_ASSERT(changed || error.status == SEGMAN_ERROR_UNSUPPORTED);
    CU_ASSERT(!changed || pipe_sink_write(sink, (const uint8_t *const *)b->plane, b->stride, 1, -1, names[1], NULL));
    CU_ASSERT(pipe_sink_close(sink, NULL));
    pipe_sink_destroy(sink);
    return changed;
}

/** Sequences take pictures of any size, and go on counting; a video keeps its own. */
static void test_change(void)
{
    static const char *const named[2] = {"one.jpg", "one.png"}, *const nameless[2] = {NULL, NULL};
    struct picture p = picture_gray(16, 8, 0), q = picture_gray(24, 10, 1);
    struct picture a = picture_quadrants(32, 24), b = picture_quadrants(48, 16);

    CU_ASSERT(write_two(in_folder("made/"), true, &p, &q, named));
    CU_ASSERT(write_two(in_folder("made/n-%%d.png"), true, &p, &q, nameless));
    CU_ASSERT(write_two(in_folder("made/j-%%d.jpg"), false, &a, &b, nameless));
    CU_ASSERT(!write_two(in_folder("x.mkv"), true, &p, &q, nameless));
    check_labels(in_folder("made/one.png"), &p, false);
    check_labels(in_folder("made/one.png.png"), &q, false);
    check_labels(in_folder("made/n-1.png"), &p, false);
    check_labels(in_folder("made/n-2.png"), &q, false);
    CU_ASSERT(g_file_test(in_folder("made/j-2.jpg"), G_FILE_TEST_EXISTS));
    picture_free(&p);
    picture_free(&q);
    picture_free(&a);
    picture_free(&b);
}

/** An empty folder that was made goes away again; a second frame for one image is refused. */
static void test_leftovers(void)
{
    struct picture p = picture_gray(16, 8, 0);
    struct pipe_sink_params params = {.output = in_folder("made/"), .format = p.format, .gray = true};
    struct pipe_sink *sink = pipe_sink_open(&params, NULL);
    struct segman_error error = {0};

    CU_ASSERT_EQUAL(files_in_folder(), 1);
    pipe_sink_destroy(sink);
    CU_ASSERT_EQUAL(files_in_folder(), 0);
    params.output = in_folder("one.png");
    sink = pipe_sink_open(&params, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT(pipe_sink_write(sink, (const uint8_t *const *)p.plane, p.stride, 0, -1, NULL, &error));
    CU_ASSERT(!pipe_sink_write(sink, (const uint8_t *const *)p.plane, p.stride, 0, -1, NULL, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "holds one image"));
    CU_ASSERT(!pipe_sink_close(sink, &error));
    pipe_sink_destroy(sink);
    CU_ASSERT_EQUAL(files_in_folder(), 0);
    picture_free(&p);
}

/** Nothing that was read is written over: the file, the folder, the pattern, or a file of them by another name. */
static void test_own_input(void)
{
    const char *folder = in_folder("in"), *file = in_folder("in/frame1.png"), *pattern = in_folder("in/frame%%d.png");
    const char *const inputs[] = {folder, file, pattern};
    struct pipe_frame frame;
    struct pipe_source *source;
    struct pipe_sink *sink;
    struct segman_error error = {0};

    make_sequence(folder);
    for (size_t i = 0; i < G_N_ELEMENTS(inputs); i++) {
        source = open_source(inputs[i]);
        expect_sink_error(
            &(struct pipe_sink_params){
                .output = inputs[i], .format = pipe_source_info(source)->format, .source = source, .overwrite = true},
            "is the input itself");
        pipe_source_destroy(source);
    }
    source = open_source(folder);
    sink = pipe_sink_open(
        &(struct pipe_sink_params){.output = pattern, .format = pipe_source_info(source)->format, .source = source, .overwrite = true},
        &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT_EQUAL_FATAL(pipe_source_read(source, &frame, NULL), PIPE_FRAME);
    CU_ASSERT(!pipe_sink_write(sink, frame.plane, frame.stride, 0, -1, frame.name, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "is the input itself"));
    pipe_frame_release(&frame);
    pipe_sink_destroy(sink);
    pipe_source_destroy(source);
}

int main(void)
{
    static const struct named_test tests[] = {
        {"exact PNG", test_exact},
        {"kind by content", test_content},
        {"JPEG", test_jpeg},
        {"labels", test_labels},
        {"sequence in", test_sequence},
        {"sequence out", test_sequence_out},
        {"leftovers", test_leftovers},
        {"own input", test_own_input},
        {"change", test_change},
        {"animation", test_animation},
        {NULL, NULL},
    };
    return run_tests("images", tests);
}
