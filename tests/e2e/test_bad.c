/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot work: the right exit code, words that name the trouble, and nothing left under the output's name. */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

/* A quarter of a second of 320x240 with sound. */
static const char *small_clip(void)
{
    const char *path = in_folder("small.mp4");
    g_autofree char *make =
        g_strdup_printf("audiotestsrc num-buffers=12 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! avenc_aac "
                        "! aacparse ! queue ! mux. "
                        "videotestsrc num-buffers=6 pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=24/1 "
                        "! x264enc key-int-max=4 ! h264parse ! queue ! mp4mux name=mux ! filesink location=\"%s\"",
                        path);

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        CU_ASSERT_FATAL(media_make(make));
    return path;
}

static const char *write_file(const char *name, const void *bytes, gssize size)
{
    const char *path = in_folder(name);

    CU_ASSERT_FATAL(g_file_set_contents(path, bytes, size, NULL));
    return path;
}

static void refuse_input(const char *input, const char *word)
{
    struct outcome run = program_run(input, in_folder("refused.mp4"), NULL);

    CU_ASSERT_EQUAL(run.code, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(run.err, word));
    CU_ASSERT_STRING_EQUAL(run.out, "");
    check_nothing("refused");
    outcome_clear(&run);
}

static void test_inputs(void)
{
    const char *sound = in_folder("sound.mkv");
    g_autofree char *make = g_strdup_printf("audiotestsrc num-buffers=20 ! opusenc ! matroskamux ! filesink location=\"%s\"", sound);

    CU_ASSERT_FATAL(media_make(make));
    refuse_input(in_folder("nowhere.mp4"), "nowhere.mp4");
    refuse_input(write_file("empty.mp4", "", 0), "empty");
    refuse_input(write_file("text.mp4", "Dear diary,\nthis is no video.\n", -1), "text.mp4");
    refuse_input(sound, "sound.mkv");
    g_mkdir(in_folder("no_pictures"), 0700);
    refuse_input(in_folder("no_pictures"), "no_pictures");
}

static void refuse_model(const char *model, const char *word)
{
    struct outcome run = program_run(small_clip(), in_folder("refused.mp4"), "-m", model, NULL);

    CU_ASSERT_EQUAL(run.code, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(run.err, word));
    check_nothing("refused");
    outcome_clear(&run);
}

static void test_models(void)
{
    g_autofree char *model = g_build_filename(program.assets, "models", "segman_t_indoor24.safetensors", NULL);
    g_autofree char *bytes = NULL;
    gsize size;

    CU_ASSERT_FATAL(g_file_get_contents(model, &bytes, &size, NULL));
    refuse_model(in_folder("nowhere.safetensors"), "nowhere.safetensors");
    refuse_model(write_file("empty.safetensors", "", 0), "empty.safetensors");
    refuse_model(write_file("cut.safetensors", bytes, (gssize)size / 2), "cut.safetensors");
    refuse_model(write_file("head.safetensors", bytes, 100), "head.safetensors");
    refuse_model(write_file("page.pth", "<!DOCTYPE html><html>404</html>", -1), "page.pth");
    refuse_model(small_clip(), "small.mp4");
}

static void refuse_output(const char *output, const char *word)
{
    struct outcome run = program_run(small_clip(), output, NULL);

    CU_ASSERT_EQUAL(run.code, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(run.err, word));
    outcome_clear(&run);
}

static void test_outputs(void)
{
    write_file("plain", "x", 1);
    refuse_output(in_folder("no_such_folder/out.mp4"), "no_such_folder");
    refuse_output(in_folder("plain/out.mp4"), "plain");
    refuse_output(in_folder("refused.xyz"), "xyz");
    check_nothing("refused");
}

/* Files may not grow beyond 20 kB: the video does not fit. The labels do, as far as they came. */
static void test_full_disk(void)
{
    struct outcome run =
        program_run_limited(20000, small_clip(), in_folder("refused.mkv"), "--codec", "ffv1", "--labels", in_folder("partial.mkv"), NULL);

    CU_ASSERT_EQUAL(run.code, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(run.err, "cannot write"));
    check_nothing("refused");
    check_nothing("partial.mkv.");
    outcome_clear(&run);
}

/* Noise in the middle of the coded pictures: what can be shown is written, a loss is said and counted in the exit code. */
static void test_damage(void)
{
    g_autofree char *bytes = NULL;
    gsize size;
    struct media out;

    CU_ASSERT_FATAL(g_file_get_contents(small_clip(), &bytes, &size, NULL));
    for (gsize i = size / 3; i < size / 3 + 300; i++)
        bytes[i] = (char)(i * 37 + 5);
    const char *in = write_file("damaged.mp4", bytes, (gssize)size), *good = in_folder("mended.mkv");
    struct outcome run = program_run(in, good, NULL);
    CU_ASSERT(run.code == 0 || run.code == 3);
    media_read(&out, good, FALSE);
    printf("  %u of 6 frames\n", out.times->len);
    CU_ASSERT(out.readable);
    CU_ASSERT(out.times->len >= 2 && out.times->len <= 6);
    CU_ASSERT(run.code == 3 || out.times->len == 6);
    media_clear(&out);
    outcome_clear(&run);
}

/* Ctrl+C: the file holds the frames so far, and plays. */
static void test_interrupt(void)
{
    const char *out = in_folder("stopped.mp4");
    struct outcome run = program_interrupt("\n1,", "test:320x240@25:500", out, "--stats", "-", NULL);
    struct media media;

    CU_ASSERT_EQUAL(run.code, 4);
    media_read(&media, out, FALSE);
    CU_ASSERT(media.readable);
    CU_ASSERT(media.times->len >= 2 && media.times->len < 500);
    CU_ASSERT_EQUAL(count_files("stopped.mp4"), 1);
    media_clear(&media);
    outcome_clear(&run);
}

void suite_bad(void)
{
    CU_pSuite suite = CU_add_suite("bad input", NULL, NULL);

    CU_add_test(suite, "inputs", test_inputs);
    CU_add_test(suite, "checkpoints", test_models);
    CU_add_test(suite, "outputs", test_outputs);
    CU_add_test(suite, "a full disk", test_full_disk);
    CU_add_test(suite, "damaged and truncated video", test_damage);
    CU_add_test(suite, "interrupted", test_interrupt);
}
