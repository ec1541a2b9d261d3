/* SPDX-License-Identifier: Apache-2.0 */
/* Small parts on their own. */
#include "support.h"

#include <string.h>

static void test_patterns(void)
{
    char *name;
    CU_ASSERT(pipe_is_pattern("a/frame-%04d.png"));
    CU_ASSERT(pipe_is_pattern("%u.png"));
    CU_ASSERT(!pipe_is_pattern("a%d/frame.png"));
    CU_ASSERT(!pipe_is_pattern("%s.png"));
    CU_ASSERT(!pipe_is_pattern("%d-%d.png"));
    CU_ASSERT(!pipe_is_pattern("100%.png"));
    CU_ASSERT(!pipe_is_pattern("100%%.png"));
    CU_ASSERT(!pipe_is_pattern("%999999999d.png"));
    CU_ASSERT(!pipe_is_pattern("%n.png"));
    name = pipe_pattern_name("100%%-%04d.png", 7);
    CU_ASSERT_STRING_EQUAL(name, "100%-0007.png");
    g_free(name);
    name = pipe_pattern_name("%d%%", 12345678901ULL);
    CU_ASSERT_STRING_EQUAL(name, "12345678901%");
    g_free(name);
}

static void test_natural_order(void)
{
    CU_ASSERT(pipe_natural_compare("frame2.png", "frame10.png") < 0);
    CU_ASSERT(pipe_natural_compare("frame10.png", "frame9.png") > 0);
    CU_ASSERT(pipe_natural_compare("a", "b") < 0);
    CU_ASSERT(pipe_natural_compare("a1b2", "a1b10") < 0);
    CU_ASSERT_EQUAL(pipe_natural_compare("x", "x"), 0);
}

static void test_colour(void)
{
    struct segman_frame_format format = {.format = SEGMAN_FORMAT_NV12, .width = 64, .height = 48, .matrix = SEGMAN_MATRIX_BT709};
    GstVideoColorimetry c;
    pipe_colorimetry(&c, &format, "bt709");
    CU_ASSERT(gst_video_colorimetry_matches(&c, "bt709"));
    format.range = SEGMAN_RANGE_FULL;
    pipe_colorimetry(&c, &format, NULL);
    CU_ASSERT_EQUAL(c.range, GST_VIDEO_COLOR_RANGE_0_255);
    CU_ASSERT_EQUAL(c.matrix, GST_VIDEO_COLOR_MATRIX_BT709);
    format.matrix = SEGMAN_MATRIX_BT601; /* another matrix than the source's: nothing of it is kept */
    pipe_colorimetry(&c, &format, "bt2020");
    CU_ASSERT_EQUAL(c.primaries, GST_VIDEO_COLOR_PRIMARIES_SMPTE170M);
}

/** Rising, black stays black, 203 cd/m2 (58 % of the signal) becomes a bright but not the brightest tone. */
static void test_pq(void)
{
    uint8_t table[256];
    pipe_pq_table(table);
    for (int i = 1; i < 256; i++)
        CU_ASSERT(table[i] >= table[i - 1]);
    CU_ASSERT_EQUAL(table[0], 16);
    CU_ASSERT_EQUAL(table[16], 16);
    CU_ASSERT_EQUAL(table[255], 235);
    CU_ASSERT(table[143] > 200 && table[143] < 235);
}

static void test_packages(void)
{
    GstCaps *h264 = gst_caps_from_string("video/x-h264"), *av1 = gst_caps_from_string("video/x-av1"),
            *ts = gst_caps_from_string("video/mpegts");
    CU_ASSERT_STRING_EQUAL(pipe_package_for_caps(h264, false), "gstreamer1.0-libav");
    CU_ASSERT_STRING_EQUAL(pipe_package_for_caps(av1, false), "gstreamer1.0-plugins-bad");
    CU_ASSERT_STRING_EQUAL(pipe_package_for_caps(ts, true), "gstreamer1.0-plugins-bad");
    gst_caps_unref(h264);
    gst_caps_unref(av1);
    gst_caps_unref(ts);
}

/** Damaged or strange MP4s are left alone. */
static void test_mp4_edit_refuses(void)
{
    static const struct pipe_mp4_track track = {1000000, 0};
    const struct pipe_mp4_edit edit = {&track, 1, 0};
    static const uint8_t cases[][24] = {
        {0, 0, 0, 8, 'm', 'o', 'o', 'v'},
        {0, 0, 0, 24, 'm', 'o', 'o', 'v', 0, 0, 0, 200, 't', 'r', 'a', 'k'},
        {0, 0, 0, 24, 'm', 'o', 'o', 'v', 0, 0, 0, 16, 'm', 'v', 'h', 'd', 0, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 1, 'm', 'o', 'o', 'v', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *path = in_folder("case%zu.mp4", i);
        char *data;
        gsize size = i ? 24 : 8, after;
        CU_ASSERT(g_file_set_contents(path, (const char *)cases[i], (gssize)size, NULL));
        CU_ASSERT(!pipe_mp4_edit_file(path, &edit));
        CU_ASSERT(g_file_get_contents(path, &data, &after, NULL) && after == size && !memcmp(data, cases[i], size));
        g_free(data);
    }
    CU_ASSERT(!pipe_mp4_edit_file(in_folder("nothing.mp4"), &edit));
}

int main(void)
{
    static const struct named_test tests[] = {
        {"printf patterns", test_patterns},
        {"natural order", test_natural_order},
        {"colorimetry", test_colour},
        {"PQ curve", test_pq},
        {"packages", test_packages},
        {"MP4 edit refuses", test_mp4_edit_refuses},
        {NULL, NULL},
    };
    return run_tests("units", tests);
}
