/* SPDX-License-Identifier: Apache-2.0 */
/* The sample clips: variable frame rate, odd size, rotation, sound. */
#include <stdio.h>

#include "checks.h"

/* All 78 frames at irregular times, 637x479. */
static void test_variable_rate(void)
{
    const char *in = in_clips("room_vfr_637x479.mkv"), *out = in_folder("vfr_out.mkv"), *labels = in_folder("vfr_labels.mkv");
    struct media a, b, c;

    struct outcome run = program_run(in, out, "--labels", labels, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    media_read(&a, in, FALSE);
    media_read(&b, out, FALSE);
    media_read(&c, labels, TRUE);
    CU_ASSERT_EQUAL(a.times->len, 78);
    CU_ASSERT(b.width == 637 || b.width == 638); /* padded by one where the encoder takes even sizes only */
    CU_ASSERT(b.height == 479 || b.height == 480);
    check_times(&a, &b, 0);
    check_sound(&a, &b);
    CU_ASSERT_EQUAL(c.width, 637);
    CU_ASSERT_EQUAL(c.height, 479);
    check_times(&a, &c, 0);
    media_clear(&a);
    media_clear(&b);
    media_clear(&c);
    outcome_clear(&run);
}

/* Coded 640x480, shown 480x640: the output is upright and carries no tag. */
static void test_rotated(void)
{
    const char *in = in_clips("webcam_rotated.mp4"), *out = in_folder("rotated_out.mkv");
    struct media a, b;

    struct outcome run = program_run(in, out, "--frames", "4", NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    media_read(&a, in, FALSE);
    media_read(&b, out, FALSE);
    CU_ASSERT(a.rotated);
    CU_ASSERT(!b.rotated);
    CU_ASSERT_EQUAL(b.width, 480);
    CU_ASSERT_EQUAL(b.height, 640);
    check_times(&a, &b, 4);
    media_clear(&a);
    media_clear(&b);
    outcome_clear(&run);
}

static int by_name(const void *a, const void *b)
{
    return g_strcmp0(*(char *const *)a, *(char *const *)b);
}

/*
 * A coded frame's labels are those of the same frame as an RGB picture: the network sees 8-bit RGB, and image outputs
 * hold just that.
 */
static void test_frame_as_picture(void)
{
    const char *in = in_clips("webcam.mp4"), *labels = in_folder("frame_labels.mkv");
    const char *pictures = in_folder("frame_pictures/"), *masks = in_folder("frame_masks/");
    struct media video;

    struct outcome run = program_run(in, pictures, "--view", "source", "--frames", "2", "--precision", "f32", "--labels", labels, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    outcome_clear(&run);
    run = program_run(pictures, "--precision", "f32", "--labels", masks, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    outcome_clear(&run);
    media_read(&video, labels, TRUE);
    CU_ASSERT_EQUAL(video.frames->len, 2);

    GDir *dir = g_dir_open(masks, 0, NULL);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        g_ptr_array_add(names, g_build_filename(masks, name, NULL));
    g_ptr_array_sort(names, by_name);
    CU_ASSERT_EQUAL(names->len, 2);
    for (guint i = 0; i < MIN(names->len, video.frames->len); i++) {
        GBytes *mask = png_indices(names->pdata[i]);
        double share = equal_share(mask, video.frames->pdata[i]);
        printf("  frame %u: %.5f of the labels are equal\n", i, share);
        CU_ASSERT(share == 1.0);
        g_bytes_unref(mask);
    }
    g_ptr_array_unref(names);
    if (dir)
        g_dir_close(dir);
    media_clear(&video);
}

void suite_clips(void)
{
    CU_pSuite suite = CU_add_suite("sample clips", NULL, NULL);

    CU_add_test(suite, "variable frame rate, odd size, whole", test_variable_rate);
    CU_add_test(suite, "rotation", test_rotated);
    CU_add_test(suite, "a frame and the same frame as a picture", test_frame_as_picture);
}
