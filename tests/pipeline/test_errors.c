/* SPDX-License-Identifier: Apache-2.0 */
/* Bad inputs and outputs: plain messages, nothing harmed, nothing left behind. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

static void test_bad_inputs(void)
{
    const char *empty = in_folder("empty.mp4"), *text = in_folder("text.mp4"), *audio = in_folder("audio.mkv"), *cut = in_folder("cut.png");
    const char *folder = in_folder("none");

    CU_ASSERT(g_file_set_contents(empty, "", 0, NULL));
    CU_ASSERT(g_file_set_contents(text, "This is no video, though it is called one.\n", -1, NULL));
    CU_ASSERT(g_file_set_contents(cut, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, NULL));
    CU_ASSERT_EQUAL(g_mkdir(folder, 0777), 0);
    CU_ASSERT_FATAL(run_pipeline("audiotestsrc num-buffers=20 ! vorbisenc ! matroskamux ! filesink location=%s", audio));
    expect_open_error(in_folder("nothing.mp4"), "nothing.mp4", "No such file");
    expect_open_error(empty, "empty.mp4", "is empty");
    expect_open_error(text, "text.mp4", "neither video nor image");
    expect_open_error(audio, "audio.mkv", "has no video in it, only audio");
    expect_open_error(cut, "cut.png", "cut.png");
    expect_open_error(folder, "none", "has no images");
    expect_open_error(in_folder("x%%d.png"), "x%d.png", "no file fits");
    expect_open_error("nosuch://x", "nosuch://x", "not installed");
    expect_open_error("http://127.0.0.1:1/x.mp4", "cannot read http://127.0.0.1:1/x.mp4", "connect");
    expect_open_error("", "no input", "no input");
}

static void test_unreadable(void)
{
    const char *path = in_folder("secret.mp4");
    CU_ASSERT(g_file_set_contents(path, "x", 1, NULL));
    CU_ASSERT_EQUAL(g_chmod(path, 0), 0);
    if (geteuid() == 0)
        fprintf(stderr, "(root reads everything: only with another user) ");
    else
        expect_open_error(path, "secret.mp4", "Permission denied");
}

/** Bytes overwritten in the middle: reading goes on, and counts; all of them: it gives up. */
static void damage(const char *from, const char *to, double start, double end, unsigned one_in)
{
    char *data;
    gsize size;
    GRand *random = g_rand_new_with_seed(7);
    CU_ASSERT_FATAL(g_file_get_contents(from, &data, &size, NULL));
    for (gsize i = (gsize)((double)size * start); i < (gsize)((double)size * end); i++)
        if (g_rand_int_range(random, 0, (int)one_in) == 0)
            data[i] = (char)g_rand_int(random);
    CU_ASSERT(g_file_set_contents(to, data, (gssize)size, NULL));
    g_rand_free(random);
    g_free(data);
}

static enum pipe_status read_all(struct pipe_source *source, unsigned *frames, struct segman_error *error)
{
    struct pipe_frame frame;
    enum pipe_status status;
    for (*frames = 0; (status = pipe_source_read(source, &frame, error)) == PIPE_FRAME; ++*frames)
        pipe_frame_release(&frame);
    return status;
}

static void test_damaged(void)
{
    const char *good = in_folder("good.mp4"), *some = in_folder("some.mp4"), *all = in_folder("all.mp4");
    struct segman_error error = {0};
    struct pipe_source *source;
    unsigned frames;

    CU_ASSERT_FATAL(run_pipeline(
        "videotestsrc num-buffers=200 pattern=snow ! video/x-raw,format=I420,width=96,height=64 ! x264enc bframes=0 key-int-max=20"
        " ! mp4mux ! filesink location=%s",
        good));
    damage(good, some, 0.3, 0.6, 60);
    damage(good, all, 0.1, 0.98, 4);
    source = open_source(some);
    CU_ASSERT_EQUAL(read_all(source, &frames, &error), PIPE_END);
    CU_ASSERT(frames > 100);
    CU_ASSERT(frames + pipe_source_corrupt(source) >= 199 && frames + pipe_source_corrupt(source) <= 201);
    pipe_source_destroy(source);
    source = open_source(all);
    CU_ASSERT_EQUAL(read_all(source, &frames, &error), PIPE_ERROR);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "all.mp4 is too damaged"));
    CU_ASSERT(pipe_source_corrupt(source) > 50);
    pipe_source_destroy(source);
}

/** Files that end too early: all that is there is read, the log says so, and what is missing is counted. */
static void test_cut(void)
{
    static const char *const ends[] = {"x264enc ! mp4mux faststart=true", "vp8enc deadline=1 ! matroskamux"};
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        const char *good = in_folder("good%zu", i), *cut = in_folder("cut%zu", i);
        struct segman_error error = {0};
        struct pipe_source *source;
        unsigned frames;
        char *data;
        gsize size;

        CU_ASSERT_FATAL(
            run_pipeline("videotestsrc num-buffers=120 pattern=snow ! video/x-raw,format=I420,width=96,height=64,framerate=30/1 ! %s"
                         " ! filesink location=%s",
                         ends[i], good));
        CU_ASSERT_FATAL(g_file_get_contents(good, &data, &size, NULL));
        CU_ASSERT(g_file_set_contents(cut, data, (gssize)size / 3, NULL));
        g_free(data);
        source = open_source(cut);
        CU_ASSERT_EQUAL(read_all(source, &frames, &error), PIPE_END);
        CU_ASSERT(frames > 20 && frames < 60);
        CU_ASSERT(frames + pipe_source_corrupt(source) > 100 && frames + pipe_source_corrupt(source) < 140);
        CU_ASSERT_PTR_NOT_NULL(strstr(logged(), "is cut off: its end is missing"));
        pipe_source_destroy(source);
    }
}

/* ---- outputs --------------------------------------------------------------------------------- */

static struct pipe_sink_params params_for(const char *path)
{
    return (struct pipe_sink_params){.output = path, .format = {.format = SEGMAN_FORMAT_I420, .width = 64, .height = 48}};
}

static bool write_frames(struct pipe_sink *sink, const struct pipe_sink_params *params, unsigned count, struct segman_error *error)
{
    bool ok = true;
    for (unsigned i = 0; i < count && ok; i++) {
        struct picture p = picture_make(params->format, i * 131);
        GRand *random = g_rand_new_with_seed(i);
        for (uint32_t j = 0; j < p.stride[0] * p.rows[0]; j++)
            p.plane[0][j] = (uint8_t)g_rand_int(random); /* noise: takes space */
        ok = pipe_sink_write(sink, (const uint8_t *const *)p.plane, p.stride, i * 40000000LL, 40000000, NULL, error);
        g_rand_free(random);
        picture_free(&p);
    }
    return ok;
}

static bool has_content(const char *path, const char *expected)
{
    char *data = NULL;
    bool same = g_file_get_contents(path, &data, NULL, NULL) && !strcmp(data, expected);
    g_free(data);
    return same;
}

/** An existing output: refused; with overwrite kept until the new one is whole. */
static void test_overwrite(void)
{
    static const char *const names[] = {"x.mp4", "x.mkv", "x.png"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *path = in_folder("%s", names[i]);
        struct pipe_sink_params params = params_for(path);
        struct segman_error error = {0};
        struct pipe_sink *sink;

        CU_ASSERT(g_file_set_contents(path, "precious", -1, NULL));
        expect_sink_error(&params, "exists already");
        CU_ASSERT(has_content(path, "precious"));
        params.overwrite = true;
        sink = pipe_sink_open(&params, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
        CU_ASSERT(write_frames(sink, &params, 1, &error));
        CU_ASSERT(has_content(path, "precious"));
        pipe_sink_destroy(sink); /* not closed: dropped */
        CU_ASSERT(has_content(path, "precious"));
        sink = pipe_sink_open(&params, &error);
        CU_ASSERT_FATAL(sink && write_frames(sink, &params, 1, &error));
        CU_ASSERT(pipe_sink_close(sink, &error));
        pipe_sink_destroy(sink);
        CU_ASSERT(!has_content(path, "precious"));
        CU_ASSERT_EQUAL(files_in_folder(), i + 1);
    }
}

/** Something else took the name while it was being written: it is not overwritten. */
static void test_race(void)
{
    const char *path = in_folder("x.mkv");
    struct pipe_sink_params params = params_for(path);
    struct segman_error error = {0};
    struct pipe_sink *sink = pipe_sink_open(&params, &error);
    CU_ASSERT_FATAL(sink && write_frames(sink, &params, 2, &error));
    CU_ASSERT(g_file_set_contents(path, "precious", -1, NULL));
    CU_ASSERT(!pipe_sink_close(sink, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "x.mkv"));
    pipe_sink_destroy(sink);
    CU_ASSERT(has_content(path, "precious"));
    CU_ASSERT_EQUAL(files_in_folder(), 1);
}

static void test_bad_outputs(void)
{
    struct pipe_sink_params params = params_for(in_folder("nowhere/x.mp4"));
    const char *folder = in_folder("folder.mp4"), *video = in_folder("in.mkv"), *link_name = in_folder("link.mkv");
    struct segman_error error = {0};
    struct pipe_source *source;
    struct pipe_sink *sink;

    expect_sink_error(&params, "No such file");
    params.output = in_folder("x.docx");
    expect_sink_error(&params, "cannot tell from its name");
    params.output = in_folder("noextension");
    expect_sink_error(&params, "cannot tell from its name");
    params.output = "";
    expect_sink_error(&params, "no output");
    params.output = "/dev/full.mp4";
    if (geteuid() != 0)
        expect_sink_error(&params, "cannot write /dev/full.mp4");
    params.output = folder;
    CU_ASSERT_EQUAL(g_mkdir(folder, 0777), 0);
    sink = pipe_sink_open(&params, &error); /* a folder by whatever name takes images */
    CU_ASSERT_PTR_NOT_NULL(sink);
    pipe_sink_destroy(sink);
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! vp8enc ! matroskamux ! filesink location=%s", video));
    CU_ASSERT_EQUAL(symlink(video, link_name), 0);
    source = open_source(video);
    params.source = source;
    params.overwrite = true;
    params.output = video;
    expect_sink_error(&params, "is the input itself");
    params.output = link_name;
    expect_sink_error(&params, "is the input itself");
    pipe_source_destroy(source);
    CU_ASSERT_EQUAL(files_in_folder(), 3);
}

/** No frame at all is no video; nothing is left. */
static void test_no_frames(void)
{
    static const char *const names[] = {"x.mp4", "x.webm", "x.png"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct pipe_sink_params params = params_for(in_folder("%s", names[i]));
        struct segman_error error = {0};
        struct pipe_sink *sink = pipe_sink_open(&params, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
        CU_ASSERT(!pipe_sink_close(sink, &error));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "there was no frame"));
        pipe_sink_destroy(sink);
        CU_ASSERT_EQUAL(files_in_folder(), 0);
    }
}

/** Writes until it fails, at the latest when closing; the message must have the text in it. */
static void expect_full(const char *path, const char *text)
{
    struct pipe_sink_params params = params_for(path);
    struct segman_error error = {0};
    struct pipe_sink *sink;
    bool ok;

    params.format.width = 320;
    params.format.height = 240;
    sink = pipe_sink_open(&params, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    ok = write_frames(sink, &params, g_str_has_suffix(path, ".png") ? 1 : 60, &error) && pipe_sink_close(sink, &error);
    CU_ASSERT(!ok);
    if (!strstr(error.message, text))
        fprintf(stderr, "%s\n", error.message);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, text));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, path));
    pipe_sink_destroy(sink);
    CU_ASSERT(!g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_full_disk(void)
{
    const char *disk = in_folder("disk");
    CU_ASSERT_EQUAL(g_mkdir(disk, 0777), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=128k")) {
        fprintf(stderr, "(no tmpfs here: %s) ", g_strerror(errno));
        return;
    }
    expect_full(in_folder("disk/x.mp4"), "the disk is full");
    expect_full(in_folder("disk/x.mkv"), "the disk is full");
    expect_full(in_folder("disk/x.png"), "the disk is full");
    CU_ASSERT_EQUAL(umount(disk), 0);
}

/** The same by a limit on files' sizes, which every user may set. */
static void test_size_limit(void)
{
    struct rlimit old, limit;
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 100000;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_full(in_folder("x.mp4"), "cannot write");
    expect_full(in_folder("x.mkv"), "cannot write");
    expect_full(in_folder("x.png"), "cannot write");
    setrlimit(RLIMIT_FSIZE, &old);
    CU_ASSERT_EQUAL(files_in_folder(), 0);
}

int main(void)
{
    static const struct named_test tests[] = {
        {"bad inputs", test_bad_inputs},
        {"unreadable", test_unreadable},
        {"damaged", test_damaged},
        {"cut off", test_cut},
        {"overwrite", test_overwrite},
        {"race", test_race},
        {"bad outputs", test_bad_outputs},
        {"no frames", test_no_frames},
        {"full disk", test_full_disk},
        {"size limit", test_size_limit},
        {NULL, NULL},
    };
    return run_tests("errors", tests);
}
