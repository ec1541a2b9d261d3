/* SPDX-License-Identifier: Apache-2.0 */
/* Clips made here: no folder of samples is needed. */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

#define SOUND_AAC                                                                                                                          \
    "audiotestsrc num-buffers=11 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! avenc_aac ! aacparse ! queue " \
    "! mux. "
#define SOUND_OPUS                                                                                                                         \
    "audiotestsrc num-buffers=12 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! opusenc ! queue ! mux. "

/* 1280x720 H.264 with B-frames and AAC in MP4: in an MP4 and in a Matroska. */
static void test_large(void)
{
    const char *in = in_folder("large.mp4"), *out = in_folder("large_out.mp4"), *labels = in_folder("large_labels.mkv");
    g_autofree char *make =
        g_strdup_printf(SOUND_AAC "videotestsrc num-buffers=6 pattern=ball ! video/x-raw,format=I420,width=1280,height=720,framerate=25/1 "
                                  "! x264enc bframes=2 key-int-max=4 ! h264parse ! queue ! mp4mux name=mux ! filesink location=\"%s\"",
                        in);
    struct media a, b, c;

    CU_ASSERT_FATAL(media_make(make));
    struct outcome run = program_run(in, out, "--labels", labels, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    media_read(&a, in, FALSE);
    media_read(&b, out, FALSE);
    media_read(&c, labels, TRUE);
    CU_ASSERT_EQUAL(b.width, 1280);
    CU_ASSERT_EQUAL(b.height, 720);
    check_times(&a, &b, 0);
    check_sound(&a, &b);
    CU_ASSERT_STRING_EQUAL(c.format, "GRAY8");
    CU_ASSERT_EQUAL(c.width, 1280);
    CU_ASSERT_EQUAL(c.height, 720);
    check_times(&a, &c, 0);
    check_nothing("large_out.mp4."); /* no temporary file */
    media_clear(&a);
    media_clear(&b);
    media_clear(&c);
    outcome_clear(&run);

    const char *mkv = in_folder("large_out.mkv");
    run = program_run(in, mkv, "--view", "mask", NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    media_read(&a, in, FALSE);
    media_read(&b, mkv, FALSE);
    check_times(&a, &b, 0);
    check_sound(&a, &b);
    media_clear(&a);
    media_clear(&b);
    outcome_clear(&run);
}

/* Opus is copied into WebM as it is; the picture is coded anew as VP8 or VP9. */
static void test_webm(void)
{
    const char *in = in_folder("opus.webm"), *out = in_folder("opus_out.webm");
    g_autofree char *make =
        g_strdup_printf(SOUND_OPUS "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=322,height=242,framerate=30000/1001 "
                                   "! vp8enc deadline=1 ! queue ! webmmux name=mux ! filesink location=\"%s\"",
                        in);
    struct media a, b;

    CU_ASSERT_FATAL(media_make(make));
    struct outcome run = program_run(in, out, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    media_read(&a, in, FALSE);
    media_read(&b, out, FALSE);
    CU_ASSERT_EQUAL(b.width, 322);
    CU_ASSERT_EQUAL(b.height, 242);
    check_times(&a, &b, 0);
    check_sound(&a, &b);
    media_clear(&a);
    media_clear(&b);
    outcome_clear(&run);
}

/* Labels of a video's frames against those of the same frames as pictures: RGB, lossless, so all pixels agree. */
static void test_labels_of_pictures(void)
{
    const char *in = in_folder("lossless.mkv"), *labels = in_folder("lossless_labels.mkv");
    const char *pictures = in_folder("pictures/"), *masks = in_folder("masks/");
    g_autofree char *video =
        g_strdup_printf("videotestsrc num-buffers=3 pattern=smpte horizontal-speed=40 ! video/x-raw,format=RGB,width=320,height=243,"
                        "framerate=10/1 ! tee name=t ! queue ! matroskamux ! filesink location=\"%s\" "
                        "t. ! queue ! pngenc ! multifilesink location=\"%s%%04d.png\"",
                        in, pictures);
    struct media video_labels;

    g_mkdir(pictures, 0700);
    CU_ASSERT_FATAL(media_make(video));
    struct outcome run = program_run(in, "--labels", labels, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    outcome_clear(&run);
    run = program_run(pictures, "--labels", masks, NULL);
    CU_ASSERT_EQUAL(run.code, 0);
    outcome_clear(&run);

    media_read(&video_labels, labels, TRUE);
    CU_ASSERT_EQUAL(video_labels.frames->len, 3);
    for (guint i = 0; i < video_labels.frames->len; i++) {
        g_autofree char *name = g_strdup_printf("masks/%04u.png", i);
        GBytes *mask = png_indices(in_folder(name));
        double share = equal_share(mask, video_labels.frames->pdata[i]);
        printf("  frame %u: %.5f of the labels are equal\n", i, share);
        CU_ASSERT(share == 1);
        g_bytes_unref(mask);
    }
    media_clear(&video_labels);
}

void suite_generated(void)
{
    CU_pSuite suite = CU_add_suite("generated clips", NULL, NULL);

    CU_add_test(suite, "1280x720, H.264 and AAC, into MP4 and Matroska", test_large);
    CU_add_test(suite, "WebM with Opus", test_webm);
    CU_add_test(suite, "labels of a video and of its frames as pictures", test_labels_of_pictures);
}
