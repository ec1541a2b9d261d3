/* SPDX-License-Identifier: Apache-2.0 */
/* Playing in a window: speed, pause, steps, seeking, recording, and many frames in a row. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"
#include "tests/golden/custom.h"

#define CLIP        "numbers.mkv"
#define CLIP_FPS    10
#define CLIP_FRAMES 900
#define TINY        "./tiny.safetensors"

static const char *segman_program;
static uint64_t soak_frames;

/* A clip whose frames are plain gray; the shade tells which one it is. */
static uint8_t shade(int64_t frame)
{
    return (uint8_t)(30 + 2 * (frame % 100));
}

static bool make_clip(void)
{
    struct pipe_sink_params params = {.output = CLIP,
                                      .format = {.format = SEGMAN_FORMAT_I420, .width = 64, .height = 48, .matrix = SEGMAN_MATRIX_BT601},
                                      .fps_num = CLIP_FPS,
                                      .fps_den = 1};
    static uint8_t y[64 * 48], c[32 * 24];
    const uint8_t *planes[3] = {y, c, c};
    const uint32_t strides[3] = {64, 32, 32};
    struct segman_error error;
    struct pipe_sink *sink = pipe_init(&error) ? pipe_sink_open(&params, &error) : NULL;
    bool good = sink != NULL;
    memset(c, 128, sizeof(c));
    for (int64_t i = 0; good && i < CLIP_FRAMES; i++) {
        memset(y, shade(i), sizeof(y));
        good = pipe_sink_write(sink, planes, strides, i * 1000000000 / CLIP_FPS, 1000000000 / CLIP_FPS, NULL, &error);
    }
    good = good && pipe_sink_close(sink, &error);
    pipe_sink_destroy(sink);
    if (!good)
        fprintf(stderr, "%s\n", error.message);
    return good;
}

static double pts(const struct screen *s)
{
    return s->w.shown.valid ? (double)s->w.shown.ticket.pts_ns * 1e-9 : -1;
}

/* The frame that is shown is the one that its time says, by its shade. */
static bool is_right_frame(const struct screen *s)
{
    struct segman_present what = window_present(&s->w);
    struct segman_error error;
    uint32_t width, height;
    uint8_t *rgba;
    int64_t frame = (s->w.shown.ticket.pts_ns * CLIP_FPS + 500000000) / 1000000000;
    int want = (int)((shade(frame) - 16) * 255.0 / 219 + 0.5);
    what.view = SEGMAN_VIEW_SOURCE;
    if (!segman_presenter_capture(s->w.presenter, &what, &width, &height, &rgba, &error))
        return false;
    int got = rgba[(height / 2 * width + width / 2) * 4];
    free(rgba);
    return abs(got - want) <= 1;
}

static bool shows(const struct screen *s)
{
    return s->w.shown.valid;
}

static double wanted_pts;
static bool has_pts(const struct screen *s)
{
    return pts(s) > wanted_pts - 0.01 && pts(s) < wanted_pts + 0.01;
}

static bool past_pts(const struct screen *s)
{
    return pts(s) > wanted_pts;
}

/* ---- tests ------------------------------------------------------------------------------------------- */

static void test_speed(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    double start = (double)g_get_monotonic_time() / 1e6, from = pts(&s);
    wanted_pts = from + 3;
    CU_ASSERT(screen_until(&s, 60, past_pts));
    double elapsed = (double)g_get_monotonic_time() / 1e6 - start, played = pts(&s) - from;
    CU_ASSERT(elapsed < played + 1 + 3 * s.w.lead_ms / 1e3); /* a slow network skips frames; it does not slow the clip down */
    CU_ASSERT(elapsed > played - 0.5);
    CU_ASSERT(is_right_frame(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_pause(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_type(&s, " ");
    CU_ASSERT(s.w.paused);
    double at = pts(&s);
    screen_run(&s, 1.5);
    CU_ASSERT_DOUBLE_EQUAL(pts(&s), at, 1e-6);
    screen_type(&s, "p");
    CU_ASSERT(!s.w.paused);
    wanted_pts = at + 0.05;
    CU_ASSERT(screen_until(&s, 30, past_pts));
    screen_type(&s, "p");
    CU_ASSERT(s.w.paused);
    /* what was in flight comes first, and then every frame by itself */
    for (int i = 0; i < 3; i++) {
        wanted_pts = pts(&s) + 0.01;
        screen_type(&s, ".");
        CU_ASSERT(screen_until(&s, 30, past_pts));
        CU_ASSERT(is_right_frame(&s));
    }
    at = pts(&s);
    wanted_pts = at + 0.1;
    screen_type(&s, ".");
    CU_ASSERT(screen_until(&s, 30, has_pts));
    wanted_pts = at;
    screen_type(&s, ",");
    CU_ASSERT(screen_until(&s, 30, has_pts) && is_right_frame(&s));
    wanted_pts = at - 0.1;
    screen_type(&s, ",");
    CU_ASSERT(screen_until(&s, 30, has_pts) && is_right_frame(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_seek(void)
{
    static const struct {
        SDL_Keycode key;
        double by;
    } keys[] = {{SDLK_RIGHT, 5}, {SDLK_UP, 60}, {SDLK_LEFT, -5}, {SDLK_DOWN, -60}, {SDLK_DOWN, -60}, {SDLK_UP, 60}, {SDLK_UP, 60}};
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_type(&s, "p");
    double at = pts(&s);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        at = CLAMP(at + keys[i].by, 0, (CLIP_FRAMES - 1) / (double)CLIP_FPS);
        wanted_pts = at;
        screen_key(&s, keys[i].key);
        CU_ASSERT(screen_until(&s, 60, has_pts));
        CU_ASSERT(is_right_frame(&s));
    }
    screen_type(&s, "p"); /* the last frame has its time, then it ends */
    for (int i = 0; i < 200 && s.open; i++)
        screen_run(&s, 0.1);
    CU_ASSERT(!s.open && s.w.quit);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* The picture that is seen has no labels of its own yet. */
static bool is_ahead(const struct screen *s)
{
    return s->w.shown.valid && window_in_flight(&s->w) && s->w.picture != s->w.shown.result.slot;
}

static void test_latest(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, "--sync", "latest", NULL));
    for (int i = 0; i < 4; i++) {
        CU_ASSERT(screen_until(&s, 60, is_ahead));
        struct segman_present what = window_present(&s.w);
        CU_ASSERT(what.picture != what.labels);
        const struct window_ticket *newest = &s.w.tickets[(s.w.submitted - 1) % WINDOW_SLOTS];
        struct window_ticket shown = s.w.shown.ticket;
        CU_ASSERT(newest->pts_ns > shown.pts_ns);
        s.w.shown.ticket.pts_ns = newest->pts_ns; /* what its shade is compared with */
        CU_ASSERT(is_right_frame(&s));
        s.w.shown.ticket = shown;
        wanted_pts = pts(&s);
        CU_ASSERT(screen_until(&s, 60, past_pts));
    }
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static bool begun_again(const struct screen *s)
{
    return s->w.shown.valid && s->w.shown.ticket.era > 2 && pts(s) < 10;
}

static void test_loop(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, "--loop", NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_key(&s, SDLK_UP);
    screen_key(&s, SDLK_UP);
    CU_ASSERT(screen_until(&s, 60, begun_again) && is_right_frame(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_record(void)
{
    struct screen s;
    struct pipe_source_params params = {.input = "recorded.mkv"};
    struct pipe_frame frame;
    struct segman_error error;
    int frames = 0;
    CU_ASSERT_FATAL(screen_init(&s, "test:160x120@25:12", "--record", "recorded.mkv", NULL));
    CU_ASSERT(screen_until(&s, 60, shows));
    screen_key(&s, SDLK_RIGHT);
    CU_ASSERT(s.w.message.text && strstr(s.w.message.text, "recording"));
    for (int i = 0; i < 300 && s.open; i++)
        screen_run(&s, 0.1);
    CU_ASSERT_EQUAL(s.w.osd.recorded, 12);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
    struct pipe_source *source = pipe_source_open(&params, &error);
    CU_ASSERT_FATAL(source != NULL);
    while (pipe_source_read(source, &frame, &error) == PIPE_FRAME) {
        frames++;
        pipe_frame_release(&frame);
    }
    pipe_source_destroy(source);
    CU_ASSERT_EQUAL(frames, 12);
    g_remove("recorded.mkv");
}

/* Runs the program; its standard error comes back. */
static char *run_program(const char *const *arguments, bool display, int *code)
{
    g_auto(GStrv) env = g_get_environ();
    char *argv[16] = {(char *)segman_program}, *text = NULL;
    int status = 0;
    for (int i = 1; *arguments && i < 15; i++)
        argv[i] = (char *)*arguments++;
    if (!display) {
        env = g_environ_unsetenv(env, "DISPLAY");
        env = g_environ_unsetenv(env, "WAYLAND_DISPLAY");
    }
    if (!g_spawn_sync(NULL, argv, env, 0, NULL, NULL, NULL, &text, &status, NULL))
        return g_strdup("");
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return text;
}

static void test_no_display(void)
{
    int code = -1;
    const char *const arguments[] = {"test:64x48@5:2", "-m", screen_model, "--size", "224x224", NULL};
    g_autofree char *text = run_program(arguments, false, &code);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "no display"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "--no-window"));
    CU_ASSERT(g_file_test("segman.mp4", G_FILE_TEST_EXISTS));
    g_remove("segman.mp4");
}

static void test_no_argument(void)
{
    int code = -1;
    const char *const arguments[] = {"-m", screen_model, "--size", "224x224", "--frames", "2", NULL};
    g_autofree char *text = run_program(arguments, true, &code);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "room.mp4"));
    CU_ASSERT_FALSE(g_file_test("room-segman.mp4", G_FILE_TEST_EXISTS));
}

/* ---- many frames ------------------------------------------------------------------------------------- */

static uint64_t resident(void)
{
    unsigned long long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t wanted_frames;
static bool has_frames(const struct screen *s)
{
    return s->w.finished >= wanted_frames;
}

/* Everything that a user does now and then, all of it while frames run. */
static void stir(struct screen *s, uint64_t i)
{
    static const char *const keys[] = {"m", "l", "i", "c", "+", "?", "O", "-"};
    screen_type(s, keys[i % G_N_ELEMENTS(keys)]);
    screen_motion(s, (int)(i * 37 % 300), (int)(i * 53 % 200));
    if (i % 5 == 0)
        SDL_SetWindowSize(s->w.display.window, 240 + (int)(i % 4) * 20, 180);
}

/* All of the network's ops, and next to no arithmetic: many frames in little time on any driver. */
static const struct segman_architecture tiny = {
    "custom", {8, 8, 16, 16}, {1, 1, 1, 1}, {1, 1, 2, 2}, {3, 3, 3, 3}, {16, 16, 32, 32}, false, 3, 8, 8, 5};

#define MARKS 12 /* memory is looked at this often */
#define STIRS 4  /* a mark */

struct mark {
    double memory; /* resident, MiB */
    uint32_t allocations;
    double lead_ms;
};

static struct mark take_mark(const struct screen *s)
{
    return (struct mark){
        .memory = (double)resident() / 1048576, .allocations = segman_context_allocations(s->w.engine.context), .lead_ms = s->w.lead_ms};
}

static void print_marks(const struct mark mark[MARKS])
{
    printf("resident MiB:");
    for (int i = 0; i < MARKS; i++)
        printf(" %.1f", mark[i].memory);
    printf(", allocations %u to %u, ms a frame:", mark[MARKS / 3].allocations, mark[MARKS - 1].allocations);
    for (int i = 0; i < MARKS; i++)
        printf(" %.0f", mark[i].lead_ms);
    printf(" ");
}

/* After a third, in which everything was used once, nothing may grow any more: but for noise of the heap and the machine. */
static void test_soak(void)
{
    struct screen s;
    struct mark mark[MARKS] = {{0}};
    CU_ASSERT_FATAL(custom_write(&tiny, TINY));
    CU_ASSERT_FATAL(screen_init(&s, "test:160x120@1000", "-m", TINY, "--size", "96x96", NULL));
    for (uint64_t i = 0; i < MARKS * STIRS && s.open; i++) {
        wanted_frames = soak_frames * (i + 1) / (MARKS * STIRS);
        stir(&s, i);
        screen_until(&s, 1e6, has_frames);
        mark[i / STIRS] = take_mark(&s);
    }
    CU_ASSERT(s.open && s.w.finished >= soak_frames);
    printf("%d frames, ", (int)s.w.finished);
    print_marks(mark);
    for (int i = MARKS / 3; i < MARKS; i++) {
        CU_ASSERT(mark[i].memory < mark[MARKS / 3].memory + 8);
        CU_ASSERT_EQUAL(mark[i].allocations, mark[MARKS / 3].allocations);
    }
    CU_ASSERT(mark[MARKS - 1].lead_ms < 3 * mark[MARKS / 3].lead_ms + 50);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    screen_folder = argv[1];
    screen_model = argv[2];
    segman_program = argv[3];
    soak_frames = g_ascii_strtoull(argv[4], NULL, 10);
    g_autofree char *program = g_canonicalize_filename(segman_program, NULL);
    segman_program = program;
    g_autofree char *work = g_dir_make_tmp("segman-play-XXXXXX", NULL);
    if (!work || g_chdir(work) != 0 || !make_clip())
        return 1;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("play", NULL, NULL);
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {{"own speed", test_speed},
                 {"pause and steps", test_pause},
                 {"seek", test_seek},
                 {"latest", test_latest},
                 {"loop", test_loop},
                 {"record", test_record},
                 {"no display", test_no_display},
                 {"no argument", test_no_argument},
                 {"soak", test_soak}};
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        if (argc < 6 || strcmp(argv[5], tests[i].name) == 0)
            CU_add_test(suite, tests[i].name, tests[i].test);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    g_remove(CLIP);
    g_remove(TINY);
    g_rmdir(work);
    return failed ? 1 : 0;
}
