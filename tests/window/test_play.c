/* SPDX-License-Identifier: Apache-2.0 */
/* Playing in a window: speed, pause, steps, seeking, recording, and many frames in a row. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "numbers.h"

static uint64_t soak_frames;

static bool shows(const struct screen *s)
{
    return s->w.shown.valid;
}

static double wanted_pts;
static bool has_pts(const struct screen *s)
{
    return numbers_pts(s) > wanted_pts - 0.01 && numbers_pts(s) < wanted_pts + 0.01;
}

static bool past_pts(const struct screen *s)
{
    return numbers_pts(s) > wanted_pts;
}

/* ---- tests ------------------------------------------------------------------------------------------- */

static void test_speed(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    double start = (double)g_get_monotonic_time() / 1e6, from = numbers_pts(&s);
    wanted_pts = from + 3;
    CU_ASSERT(screen_until(&s, 60, past_pts));
    double elapsed = (double)g_get_monotonic_time() / 1e6 - start, played = numbers_pts(&s) - from;
    CU_ASSERT(elapsed < played + 1 + 3 * s.w.lead_ms / 1e3); /* a slow network skips frames; it does not slow the clip down */
    CU_ASSERT(elapsed > played - 0.5);
    CU_ASSERT(numbers_right(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_pause(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_type(&s, " ");
    CU_ASSERT(s.w.paused);
    double at = numbers_pts(&s);
    screen_run(&s, 1.5);
    CU_ASSERT_DOUBLE_EQUAL(numbers_pts(&s), at, 1e-6);
    screen_type(&s, "p");
    CU_ASSERT(!s.w.paused);
    wanted_pts = at + 0.05;
    CU_ASSERT(screen_until(&s, 30, past_pts));
    screen_type(&s, "p");
    CU_ASSERT(s.w.paused);
    /* what was in flight comes first, and then every frame by itself */
    for (int i = 0; i < 3; i++) {
        wanted_pts = numbers_pts(&s) + 0.01;
        screen_type(&s, ".");
        CU_ASSERT(screen_until(&s, 30, past_pts));
        CU_ASSERT(numbers_right(&s));
    }
    at = numbers_pts(&s);
    wanted_pts = at + 0.1;
    screen_type(&s, ".");
    CU_ASSERT(screen_until(&s, 30, has_pts));
    wanted_pts = at;
    screen_type(&s, ",");
    CU_ASSERT(screen_until(&s, 30, has_pts) && numbers_right(&s));
    wanted_pts = at - 0.1;
    screen_type(&s, ",");
    CU_ASSERT(screen_until(&s, 30, has_pts) && numbers_right(&s));
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
    double at = numbers_pts(&s);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        at = CLAMP(at + keys[i].by, 0, (CLIP_FRAMES - 1) / (double)CLIP_FPS);
        wanted_pts = at;
        screen_key(&s, keys[i].key);
        CU_ASSERT(screen_until(&s, 60, has_pts));
        CU_ASSERT(numbers_right(&s));
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
        CU_ASSERT(numbers_right(&s));
        s.w.shown.ticket = shown;
        wanted_pts = numbers_pts(&s);
        CU_ASSERT(screen_until(&s, 60, past_pts));
    }
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static bool begun_again(const struct screen *s)
{
    return s->w.shown.valid && s->w.shown.ticket.era > 2 && numbers_pts(s) < 10;
}

static void test_loop(void)
{
    struct screen s;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, "--loop", NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_key(&s, SDLK_UP);
    screen_key(&s, SDLK_UP);
    CU_ASSERT(screen_until(&s, 60, begun_again) && numbers_right(&s));
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

static void test_no_display(void)
{
    int code = -1;
    const char *const arguments[] = {"test:64x48@5:2", "-m", screen_model, "--size", "224x224", NULL};
    g_autofree char *text = screen_program(arguments, NULL, false, &code);
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
    g_autofree char *text = screen_program(arguments, NULL, true, &code);
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

#define MARKS 12 /* memory is looked at this often */
#define STIRS 4  /* a mark */

#ifdef __SANITIZE_ADDRESS__ /* keeps what was freed for a while: resident memory says nothing then */
static const bool keeps_freed = true;
#else
static const bool keeps_freed = false;
#endif

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
    CU_ASSERT_FATAL(numbers_model());
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
        CU_ASSERT(keeps_freed || mark[i].memory < mark[MARKS / 3].memory + 8);
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
    screen_segman = argv[3];
    soak_frames = g_ascii_strtoull(argv[4], NULL, 10);
    g_autofree char *program = g_canonicalize_filename(screen_segman, NULL);
    screen_segman = program;
    g_autofree char *work = g_dir_make_tmp("segman-play-XXXXXX", NULL);
    if (!work || g_chdir(work) != 0 || !numbers_clip())
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
