/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver may do to a window: a device that is lost, once and twice; one that cannot present. See tests/faults. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numbers.h"

#define STILL "still.png"

/* ---- a lost device ----------------------------------------------------------------------------------- */

/* The devices made from now on are lost at these submissions. */
static void lose(const char *list)
{
    g_setenv("SEGMAN_FAULTS_LOSE", list, true);
}

static bool shows(const struct screen *s)
{
    return s->w.shown.valid;
}

static bool was_lost(const struct screen *s)
{
    return s->w.engine.lost && s->w.shown.valid;
}

static double wanted_pts;
static bool past_pts(const struct screen *s)
{
    return numbers_pts(s) > wanted_pts;
}

static bool says(const struct screen *s, const char *what)
{
    return s->w.message.text && strstr(s->w.message.text, what);
}

static bool open_tiny(struct screen *s, const char *input, const char *option, const char *value)
{
    return screen_init(s, input, "-m", TINY, "--size", "96x96", option, value, NULL);
}

/* Views, opacity, smoothing, texts and the window's size are what they were. */
static void test_lost(void)
{
    struct screen s;
    lose("60");
    CU_ASSERT_FATAL(open_tiny(&s, CLIP, "--smooth", "0.5"));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_type(&s, "m");
    screen_type(&s, "+");
    screen_type(&s, "l");
    SDL_SetWindowSize(s.w.display.window, 320, 200);
    CU_ASSERT(!s.w.engine.lost);
    CU_ASSERT_FATAL(screen_until(&s, 120, was_lost));
    CU_ASSERT(says(&s, "set up again"));
    CU_ASSERT(s.open && !s.w.failed);
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_MASK);
    CU_ASSERT_DOUBLE_EQUAL(s.w.style.opacity, 0.6, 1e-5);
    CU_ASSERT_DOUBLE_EQUAL(s.w.params.smooth, 0.5, 1e-6);
    CU_ASSERT(s.w.legend_on);
    CU_ASSERT(numbers_right(&s));
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT(s.width == 320 && s.height == 200);
    wanted_pts = numbers_pts(&s) + 1;
    CU_ASSERT(screen_until(&s, 60, past_pts) && numbers_right(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* Draws until the device is lost. */
static bool wear_out(struct screen *s)
{
    for (int i = 0; i < 400 && s->open && !s->w.engine.lost; i++) {
        screen_type(s, "m");
        screen_run(s, 0.05);
    }
    return s->w.engine.lost && screen_until(s, 60, shows);
}

static void test_lost_in_pause(void)
{
    struct screen s;
    lose("61");
    CU_ASSERT_FATAL(open_tiny(&s, CLIP, NULL, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_type(&s, "p");
    CU_ASSERT(screen_settle(&s));
    double at = numbers_pts(&s);
    CU_ASSERT_FATAL(wear_out(&s));
    CU_ASSERT(s.w.paused);
    CU_ASSERT_DOUBLE_EQUAL(numbers_pts(&s), at, 1e-6);
    CU_ASSERT(numbers_right(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

#define STILL_WIDTH  320
#define STILL_HEIGHT 240

static uint8_t still_shade(uint32_t pixel)
{
    return (uint8_t)(10 + pixel / STILL_WIDTH);
}

static bool make_still(void)
{
    static uint8_t pixels[STILL_WIDTH * STILL_HEIGHT * 4];
    struct pipe_sink_params params = {.output = STILL,
                                      .format = {.format = SEGMAN_FORMAT_RGBA, .width = STILL_WIDTH, .height = STILL_HEIGHT}};
    const uint8_t *planes[3] = {pixels};
    const uint32_t strides[3] = {STILL_WIDTH * 4};
    struct segman_error error;
    struct pipe_sink *sink = pipe_sink_open(&params, &error);
    for (uint32_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = i % 4 == 3 ? 255 : still_shade(i / 4);
    bool good = sink && pipe_sink_write(sink, planes, strides, 0, -1, NULL, &error) && pipe_sink_close(sink, &error);
    pipe_sink_destroy(sink);
    return good;
}

/* Pixels between the texts that are not the still's; the window has its size. */
static uint32_t wrong_in_still(const struct screen *s)
{
    uint32_t wrong = 0;
    for (uint32_t i = STILL_WIDTH * 100; i < STILL_WIDTH * 180; i++)
        wrong += (s->pixels[i] & 255) != still_shade(i);
    return wrong;
}

static void test_lost_still(void)
{
    struct screen s;
    lose("30");
    CU_ASSERT_FATAL(make_still());
    CU_ASSERT_FATAL(open_tiny(&s, STILL, NULL, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows) && screen_grab(&s));
    CU_ASSERT_FATAL(wear_out(&s));
    while (s.w.view != SEGMAN_VIEW_SOURCE)
        screen_type(&s, "m");
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT(s.width == STILL_WIDTH && s.height == STILL_HEIGHT && !wrong_in_still(&s));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
    g_remove(STILL);
}

static void test_lost_twice(void)
{
    struct screen s;
    lose("40,40");
    CU_ASSERT_FATAL(open_tiny(&s, CLIP, NULL, NULL));
    CU_ASSERT(screen_until(&s, 60, was_lost));
    for (int i = 0; i < 600 && s.open; i++)
        screen_run(&s, 0.1);
    CU_ASSERT(!s.open && s.w.failed);
    CU_ASSERT_EQUAL(s.w.error.status, SEGMAN_ERROR_DEVICE_LOST);
    CU_ASSERT_EQUAL(screen_finish(&s), 3);
}

static void check_program(const char *const *arguments, const char *const *settings, int wanted, const char *said)
{
    int code = -1;
    g_autofree char *text = screen_program(arguments, settings, true, &code);
    if (code != wanted || !strstr(text, said))
        printf("\n    exit code %d, and not \"%s\":\n%s", code, said, text);
    CU_ASSERT_EQUAL(code, wanted);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, said));
}

/* From outside: what is said, and the codes. */
static void test_lost_program(void)
{
    const char *const arguments[] = {"test:64x48@10:60", "-m", TINY, "--size", "96x96", "--no-progress", NULL};
    const char *const longer[] = {"test:64x48@10:600", "-m", TINY, "--size", "96x96", "--no-progress", NULL};
    const char *const once[] = {"SEGMAN_FAULTS_LOSE", "30", NULL};
    const char *const twice[] = {"SEGMAN_FAULTS_LOSE", "30,10", NULL};
    check_program(arguments, once, 0, "it is set up again");
    check_program(longer, twice, 3, "the GPU stopped responding; ");
}

/* ---- a device that cannot present -------------------------------------------------------------------- */

/* Two devices of one driver: the loader takes each manifest for another driver. NULL where it is not found. */
static char *two_drivers(void)
{
    g_autoptr(GDir) folder = g_dir_open("/usr/share/vulkan/icd.d", 0, NULL);
    const char *name;
    while (folder && (name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename("/usr/share/vulkan/icd.d", name, NULL), *text = NULL;
        if (!g_str_has_prefix(name, "lvp_") || !g_file_get_contents(path, &text, NULL, NULL))
            continue;
        if (g_file_set_contents("one.json", text, -1, NULL) && g_file_set_contents("two.json", text, -1, NULL))
            return g_strdup("./one.json:./two.json");
    }
    return NULL;
}

static void test_no_display(void)
{
    g_autofree char *drivers = two_drivers();
    const char *const first[] = {"VK_ICD_FILENAMES", drivers, "VK_DRIVER_FILES", drivers, "SEGMAN_FAULTS_NO_DISPLAY", "0", NULL};
    const char *const all[] = {"SEGMAN_FAULTS_NO_DISPLAY", "all", NULL};
    const char *const any[] = {"test:64x48@10:2", "-m", TINY, "--size", "96x96", NULL};
    const char *const chosen[] = {"test:64x48@10:2", "-m", TINY, "--size", "96x96", "-d", "0", NULL};
    if (!drivers) {
        printf("(no llvmpipe: not tried) ");
        return;
    }
    check_program(any, first, 0, "The device No Display cannot show pictures on this display: llvmpipe");
    check_program(chosen, first, 1, "The device No Display cannot show pictures on this display; llvmpipe");
    check_program(chosen, first, 1, "can: choose it by -d 1");
    check_program(any, all, 1, "no other device can");
    g_remove("one.json");
    g_remove("two.json");
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    screen_folder = argv[1];
    screen_model = argv[2];
    g_autofree char *program = g_canonicalize_filename(argv[3], NULL), *layer = g_canonicalize_filename(argv[4], NULL);
    screen_segman = program;
    g_setenv("VK_LAYER_PATH", layer, true);
    g_setenv("VK_INSTANCE_LAYERS", "VK_LAYER_SEGMAN_faults", true);
    g_autofree char *work = g_dir_make_tmp("segman-faults-XXXXXX", NULL);
    if (!work || g_chdir(work) != 0 || !numbers_clip() || !numbers_model())
        return 1;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("faults", NULL, NULL);
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {{"lost", test_lost},
                 {"lost in a pause", test_lost_in_pause},
                 {"lost with a still", test_lost_still},
                 {"lost twice", test_lost_twice},
                 {"lost, from outside", test_lost_program},
                 {"no display", test_no_display}};
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
