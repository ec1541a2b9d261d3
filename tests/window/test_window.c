/* SPDX-License-Identifier: Apache-2.0 */
/* A real window on an X server: what it shows, pixel by pixel, and what every key does. */
#include "../runner.h"
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

static struct {
    uint32_t width, height;
    uint32_t *rgb; /* R | G << 8 | B << 16 */
} room;

/* ---- what must be there ------------------------------------------------------------------------------ */

/* The still, decoded without the window. */
static bool load_room(const char *path)
{
    struct pipe_source_params params = {.input = path};
    struct pipe_frame frame;
    struct segman_error error;
    struct pipe_source *source = pipe_init(&error) ? pipe_source_open(&params, &error) : NULL;
    if (!source || pipe_source_read(source, &frame, &error) != PIPE_FRAME)
        return false;
    bool bgr = frame.format.format == SEGMAN_FORMAT_BGRX;
    room.width = frame.format.width;
    room.height = frame.format.height;
    room.rgb = malloc((size_t)room.width * room.height * 4);
    for (uint32_t y = 0; y < room.height; y++)
        for (uint32_t x = 0; x < room.width; x++) {
            const uint8_t *p = frame.plane[0] + (size_t)y * frame.stride[0] + 4 * x;
            room.rgb[y * room.width + x] = p[bgr ? 2 : 0] | (uint32_t)p[1] << 8 | (uint32_t)p[bgr ? 0 : 2] << 16;
        }
    bool good = frame.format.format == SEGMAN_FORMAT_RGBA || bgr;
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
    return good;
}

static uint32_t blended(uint32_t rgb, const uint8_t *color, double opacity)
{
    uint32_t w = (uint32_t)(opacity * 65536 + 0.5), out = 0;
    for (int c = 0; c < 3; c++)
        out |= (((rgb >> (8 * c) & 255) * (65536 - w) + color[c] * w + 32768) >> 16) << (8 * c);
    return out;
}

static uint32_t heat(uint8_t confidence)
{
    static const double stops[5][3] = {{0, 0, 0}, {80, 18, 123}, {217, 59, 62}, {253, 193, 60}, {255, 255, 255}};
    double t = confidence * 4.0 / 255;
    int i = (int)fmin(t, 3);
    uint32_t out = 0;
    for (int c = 0; c < 3; c++)
        out |= (uint32_t)(stops[i][c] + (stops[i + 1][c] - stops[i][c]) * (t - i) + 0.5) << (8 * c);
    return out;
}

static uint32_t expected(const struct screen *s, uint32_t x, uint32_t y)
{
    const struct segman_result *r = &s->w.shown.result;
    uint32_t rgb = room.rgb[y * room.width + x];
    uint8_t label = r->labels[y * r->labels_stride + x];
    switch (s->w.view) {
    case SEGMAN_VIEW_OVERLAY:
        return blended(rgb, s->w.style.palette[label], (double)s->w.style.opacity);
    case SEGMAN_VIEW_MASK:
        return blended(0, s->w.style.palette[label], 1);
    case SEGMAN_VIEW_CONFIDENCE:
        return heat(r->confidence[y * r->labels_stride + x]);
    default:
        return rgb;
    }
}

static bool close_to(uint32_t a, uint32_t b, int by)
{
    for (int c = 0; c < 24; c += 8)
        if (abs((int)(a >> c & 255) - (int)(b >> c & 255)) > by)
            return false;
    return true;
}

/* Pixels of the window, shown at the frame's size, that are not what they must be. */
static uint32_t wrong_pixels(const struct screen *s, int tolerance)
{
    uint32_t wrong = 0;
    for (uint32_t y = 0; y < room.height; y++)
        for (uint32_t x = 0; x < room.width; x++)
            wrong += !close_to(s->pixels[y * s->width + x], expected(s, x, y), tolerance);
    if (wrong && g_getenv("SEGMAN_TEST_SAVE")) {
        screen_save(s, g_getenv("SEGMAN_TEST_SAVE"));
        for (uint32_t i = 0, n = 0; i < room.width * room.height && n < 4; i++)
            if (!close_to(s->pixels[i / room.width * s->width + i % room.width], expected(s, i % room.width, i / room.width), tolerance) &&
                ++n)
                printf("\n    at %u, %u: %06x, expected %06x", i % room.width, i / room.width, s->pixels[i],
                       expected(s, i % room.width, i / room.width));
    }
    return wrong;
}

static bool open_room(struct screen *s)
{
    g_autofree char *path = g_build_filename(screen_folder, "room.png", NULL);
    bool good = screen_init(s, path, NULL) && screen_settle(s);
    screen_type(s, "O"); /* the display line off */
    return good;
}

static uint32_t classes_in(const struct screen *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < APP_LABELS; i++)
        n += s->w.shown.counts[i] > 0;
    return n;
}

static bool said(const struct screen *s, const char *what)
{
    return s->w.message.text && strstr(s->w.message.text, what);
}

/* Waits until the message that a key brought is gone. */
static bool silent(const struct screen *s)
{
    return !s->w.message_until && !s->w.changed;
}

/* ---- pictures ---------------------------------------------------------------------------------------- */

static void test_views(void)
{
    struct screen s;
    CU_ASSERT_FATAL(open_room(&s));
    CU_ASSERT_FATAL(screen_grab(&s));
    CU_ASSERT_EQUAL_FATAL(s.width, room.width);
    CU_ASSERT_EQUAL_FATAL(s.height, room.height);
    CU_ASSERT(classes_in(&s) >= 3);
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    screen_type(&s, "m");
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_MASK);
    CU_ASSERT(said(&s, "mask"));
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    screen_type(&s, "m");
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_SIDE_BY_SIDE);
    screen_type(&s, "m");
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_SOURCE);
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    screen_type(&s, "c");
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_CONFIDENCE);
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 1), 0);
    screen_type(&s, "c");
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_SOURCE);
    screen_type(&s, "m");
    CU_ASSERT_EQUAL(s.w.view, SEGMAN_VIEW_OVERLAY);
    screen_type(&s, "q");
    CU_ASSERT(s.w.quit && !s.open);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_opacity(void)
{
    struct screen s;
    CU_ASSERT_FATAL(open_room(&s));
    for (int i = 0; i < 2; i++)
        screen_type(&s, "+");
    screen_type(&s, "=");
    CU_ASSERT_DOUBLE_EQUAL(s.w.style.opacity, 0.8, 1e-5);
    CU_ASSERT(said(&s, "opacity 80 %"));
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 1), 0);
    for (int i = 0; i < 10; i++)
        screen_type(&s, "-");
    CU_ASSERT_DOUBLE_EQUAL(s.w.style.opacity, 0, 1e-5);
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* Left half the source, right half masked, both at half size with bars above and below. */
static void test_side_by_side(void)
{
    struct screen s;
    CU_ASSERT_FATAL(open_room(&s));
    screen_type(&s, "m");
    screen_type(&s, "m");
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    uint32_t bars = 0, left = 0, right = 0;
    for (uint32_t x = 0; x < s.width; x++)
        bars += s.pixels[x] != 0 || s.pixels[(s.height - 1) * s.width + x] != 0;
    CU_ASSERT_EQUAL(bars, 0);
    for (uint32_t y = 0; y < room.height / 2; y++)
        for (uint32_t x = 0; x < room.width / 2; x++) {
            uint32_t sum[2][3] = {{0}}, *row = s.pixels + (y + room.height / 4) * s.width;
            for (uint32_t k = 0; k < 4; k++) {
                uint32_t at = (2 * y + k / 2) * room.width + 2 * x + k % 2, a = room.rgb[at];
                s.w.view = SEGMAN_VIEW_OVERLAY;
                uint32_t b = expected(&s, 2 * x + k % 2, 2 * y + k / 2);
                for (int c = 0; c < 3; c++) {
                    sum[0][c] += a >> (8 * c) & 255;
                    sum[1][c] += b >> (8 * c) & 255;
                }
            }
            uint32_t mean[2];
            for (int i = 0; i < 2; i++)
                mean[i] = (sum[i][0] + 2) / 4 | (sum[i][1] + 2) / 4 << 8 | (sum[i][2] + 2) / 4 << 16;
            left += !close_to(row[x], mean[0], 1);
            right += !close_to(row[x + room.width / 2], mean[1], 1);
        }
    CU_ASSERT_EQUAL(left, 0);
    CU_ASSERT_EQUAL(right, 0);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* ---- texts ------------------------------------------------------------------------------------------- */

/* Shades of gray in the box of a text: letters on a dark ground. */
static void check_text(const struct screen *s, const struct app_text *text, const uint32_t *without, int32_t x, int32_t y)
{
    uint32_t white = 0;
    CU_ASSERT(text->width > 20 && text->height > 10);
    CU_ASSERT(screen_differs(s, without, (uint32_t)x, (uint32_t)y, text->width, text->height) > text->width * text->height / 2);
    for (uint32_t j = 0; j < text->height; j++)
        for (uint32_t i = 0; i < text->width; i++)
            white += s->pixels[((uint32_t)y + j) * s->width + (uint32_t)x + i] == 0xffffff;
    CU_ASSERT(white > 20);
    CU_ASSERT(white < text->width * text->height / 3);
}

static void test_texts(void)
{
    struct screen s;
    CU_ASSERT_FATAL(open_room(&s));
    CU_ASSERT_FATAL(screen_grab(&s));
    uint32_t *without = screen_copy(&s);
    screen_type(&s, "O");
    CU_ASSERT(screen_grab(&s));
    int32_t margin = (int32_t)(s.w.osd_text.font / 2);
    check_text(&s, &s.w.osd_text, without, margin, margin);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.w.osd_text.text, "FPS"));
    uint32_t line = s.w.osd_text.height;
    screen_type(&s, "i");
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT(s.w.osd_text.height > 3 * line);
    check_text(&s, &s.w.osd_text, without, margin, margin);
    static const char *const wanted[] = {"network",  "upload",   "blend",   "present", "frame to screen",
                                         "llvmpipe", "indoor24", "640x480", "224x224"};
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        screen_run(&s, 0.3);
        if (!strstr(s.w.osd_text.text, wanted[i]))
            printf("\n    no \"%s\" in: %s\n", wanted[i], s.w.osd_text.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.w.osd_text.text, wanted[i]));
    }
    screen_type(&s, "i");
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT_EQUAL(screen_differs(&s, without, 0, 0, s.width, s.height), 0);
    screen_type(&s, "?");
    CU_ASSERT(screen_grab(&s));
    check_text(&s, &s.w.help, without, ((int32_t)s.width - (int32_t)s.w.help.width) / 2,
               ((int32_t)s.height - (int32_t)s.w.help.height) / 2);
    screen_type(&s, "?");
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT_EQUAL(screen_differs(&s, without, 0, 0, s.width, s.height), 0);
    free(without);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_legend(void)
{
    struct screen s;
    const uint32_t *classes;
    uint32_t more;
    CU_ASSERT_FATAL(open_room(&s));
    CU_ASSERT_FATAL(screen_grab(&s));
    uint32_t *without = screen_copy(&s);
    screen_type(&s, "l");
    CU_ASSERT(screen_grab(&s));
    uint32_t n = app_legend_listed(s.w.legend, &classes, &more), found = 0;
    CU_ASSERT_FATAL(n >= 3);
    for (uint32_t i = 1; i < n; i++)
        CU_ASSERT(s.w.shown.counts[classes[i]] <= s.w.shown.counts[classes[i - 1]]);
    const uint8_t *c = s.w.style.palette[classes[0]];
    for (uint32_t y = 0; y < s.height; y++)
        for (uint32_t x = s.width / 2; x < s.width; x++)
            found += s.pixels[y * s.width + x] == (c[0] | (uint32_t)c[1] << 8 | (uint32_t)c[2] << 16);
    CU_ASSERT(found >= 64); /* the square of the largest class, in its plain colour */
    CU_ASSERT_EQUAL(screen_differs(&s, without, 0, 0, s.width / 2, s.height), 0);
    screen_type(&s, "l");
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT_EQUAL(screen_differs(&s, without, 0, 0, s.width, s.height), 0);
    free(without);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_hover(void)
{
    static const int at[3][2] = {{100, 100}, {320, 400}, {600, 50}};
    struct screen s;
    CU_ASSERT_FATAL(open_room(&s));
    CU_ASSERT_FATAL(screen_grab(&s));
    uint32_t *without = screen_copy(&s);
    for (int i = 0; i < 3; i++) {
        const struct segman_result *r = &s.w.shown.result;
        size_t pixel = (size_t)at[i][1] * r->labels_stride + (size_t)at[i][0];
        const char *name = s.w.engine.look.names[r->labels[pixel]];
        g_autofree char *percent = g_strdup_printf("%.0f %%", r->confidence[pixel] / 2.55);
        screen_motion(&s, at[i][0], at[i][1]);
        CU_ASSERT(screen_grab(&s));
        CU_ASSERT(s.w.hover.text && strstr(s.w.hover.text, name) && strstr(s.w.hover.text, percent));
        CU_ASSERT(screen_differs(&s, without, 0, 0, s.width, s.height) > 200);
        screen_click(&s, at[i][0], at[i][1], 1);
        CU_ASSERT(said(&s, name) && said(&s, percent));
    }
    SDL_Event leave = {.window = {.type = SDL_WINDOWEVENT, .event = SDL_WINDOWEVENT_LEAVE}};
    SDL_PushEvent(&leave);
    s.hovering = false;
    CU_ASSERT(screen_until(&s, 10, silent) && screen_grab(&s));
    CU_ASSERT_EQUAL(screen_differs(&s, without, 0, 0, s.width, s.height), 0);
    free(without);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_screenshot(void)
{
    struct screen s;
    struct pipe_source_params params = {.input = "segman-0002.png"};
    struct pipe_frame frame;
    struct segman_error error;
    CU_ASSERT(g_file_set_contents("segman-0001.png", "mine", -1, NULL));
    CU_ASSERT_FATAL(open_room(&s));
    SDL_SetWindowSize(s.w.display.window, 333, 222); /* the file has the frame's size all the same, and no texts */
    screen_type(&s, "O");
    screen_type(&s, "s");
    CU_ASSERT(said(&s, "segman-0002.png"));
    g_autofree char *mine = NULL;
    CU_ASSERT(g_file_get_contents("segman-0001.png", &mine, NULL, NULL) && strcmp(mine, "mine") == 0);
    struct pipe_source *source = pipe_source_open(&params, &error);
    CU_ASSERT_FATAL(source && pipe_source_read(source, &frame, &error) == PIPE_FRAME);
    CU_ASSERT(frame.format.width == room.width && frame.format.height == room.height);
    bool bgr = frame.format.format == SEGMAN_FORMAT_BGRX;
    uint32_t wrong = 0;
    for (uint32_t y = 0; y < room.height; y++)
        for (uint32_t x = 0; x < room.width; x++) {
            const uint8_t *p = frame.plane[0] + (size_t)y * frame.stride[0] + 4 * x;
            wrong += (p[bgr ? 2 : 0] | (uint32_t)p[1] << 8 | (uint32_t)p[bgr ? 0 : 2] << 16) != expected(&s, x, y);
        }
    CU_ASSERT_EQUAL(wrong, 0);
    pipe_frame_release(&frame);
    pipe_source_destroy(source);
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* ---- the window -------------------------------------------------------------------------------------- */

static bool is_fullscreen(const struct screen *s)
{
    struct segman_presenter_info info;
    segman_presenter_info(s->w.presenter, &info);
    return app_display_fullscreen(&s->w.display) && info.width >= 1024;
}

static bool is_small(const struct screen *s)
{
    struct segman_presenter_info info;
    segman_presenter_info(s->w.presenter, &info);
    return !app_display_fullscreen(&s->w.display) && info.width == room.width;
}

static void test_sizes(void)
{
    static const int sizes[][2] = {{300, 500}, {900, 200}, {64, 64}, {641, 481}, {1000, 700}};
    struct screen s;
    struct segman_presenter_info info;
    CU_ASSERT_FATAL(open_room(&s));
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        SDL_SetWindowPosition(s.w.display.window, 0, 0);
        SDL_SetWindowSize(s.w.display.window, sizes[i][0], sizes[i][1]);
        screen_run(&s, 0.2);
        CU_ASSERT(screen_grab(&s));
        segman_presenter_info(s.w.presenter, &info);
        CU_ASSERT_EQUAL(s.width, (uint32_t)sizes[i][0]);
        CU_ASSERT_EQUAL(s.height, (uint32_t)sizes[i][1]);
        CU_ASSERT(info.width == s.width && info.height == s.height);
        double scale = fmin((double)s.width / room.width, (double)s.height / room.height);
        uint32_t w = (uint32_t)round(room.width * scale), h = (uint32_t)round(room.height * scale);
        uint32_t bars = 0, x0 = (s.width - w) / 2, y0 = (s.height - h) / 2, inside = 0;
        for (uint32_t y = 0; y < s.height; y++)
            for (uint32_t x = 0; x < s.width; x++) {
                bool in = x >= x0 && x < x0 + w && y >= y0 && y < y0 + h;
                bars += !in && s.pixels[y * s.width + x] != 0;
                inside += in && s.pixels[y * s.width + x] != 0;
            }
        CU_ASSERT_EQUAL(bars, 0);
        CU_ASSERT(inside > w * h * 9 / 10);
    }
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

static void test_fullscreen(void)
{
    struct screen s;
    CU_ASSERT_FATAL(open_room(&s));
    screen_type(&s, "f");
    screen_manage(&s, (int)room.width, (int)room.height);
    CU_ASSERT(screen_until(&s, 10, is_fullscreen) && screen_grab(&s));
    CU_ASSERT(s.width >= 1024);
    screen_key(&s, SDLK_ESCAPE);
    screen_manage(&s, (int)room.width, (int)room.height);
    CU_ASSERT(screen_until(&s, 10, is_small) && screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    screen_click(&s, 300, 300, 2);
    screen_manage(&s, (int)room.width, (int)room.height);
    CU_ASSERT(screen_until(&s, 10, is_fullscreen));
    screen_type(&s, "f");
    screen_manage(&s, (int)room.width, (int)room.height);
    CU_ASSERT(screen_until(&s, 10, is_small));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* There is no window manager here that minimises: the size is taken away as it would do it. */
static void test_minimised(void)
{
    struct screen s;
    struct segman_presenter_info before, after;
    CU_ASSERT_FATAL(open_room(&s));
    CU_ASSERT(segman_presenter_resize(s.w.presenter, 0, 0, NULL));
    segman_presenter_info(s.w.presenter, &before);
    CU_ASSERT_EQUAL(before.width, 0);
    s.w.changed = true;
    for (int i = 0; i < 5; i++) {
        s.w.changed = true;
        CU_ASSERT(app_window_round(&s.w));
    }
    segman_presenter_info(s.w.presenter, &after);
    CU_ASSERT_EQUAL(before.shown, after.shown);
    SDL_Event event = {.window = {.type = SDL_WINDOWEVENT, .event = SDL_WINDOWEVENT_RESTORED}};
    SDL_PushEvent(&event);
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    SDL_HideWindow(s.w.display.window);
    screen_run(&s, 0.3);
    SDL_ShowWindow(s.w.display.window);
    screen_run(&s, 0.3);
    CU_ASSERT(screen_grab(&s));
    CU_ASSERT_EQUAL(wrong_pixels(&s, 0), 0);
    SDL_Event close = {.window = {.type = SDL_WINDOWEVENT, .event = SDL_WINDOWEVENT_CLOSE}};
    SDL_PushEvent(&close);
    CU_ASSERT_FALSE(app_window_round(&s.w));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    screen_folder = argv[1];
    screen_model = argv[2];
    g_autofree char *path = g_build_filename(screen_folder, "room.png", NULL);
    if (!load_room(path)) {
        fprintf(stderr, "no %s: skipped\n", path);
        return 77;
    }
    g_autofree char *work = g_dir_make_tmp("segman-window-XXXXXX", NULL);
    if (!work || g_chdir(work) != 0)
        return 1;
    static const CU_TestInfo tests[] = {{"views", test_views},           {"opacity", test_opacity}, {"side by side", test_side_by_side},
                                        {"texts", test_texts},           {"legend", test_legend},   {"hover and click", test_hover},
                                        {"screenshot", test_screenshot}, {"sizes", test_sizes},     {"fullscreen", test_fullscreen},
                                        {"minimised", test_minimised},   CU_TEST_INFO_NULL};
    int failed = runner_run("window", tests, argc < 4 ? NULL : argv[3]);
    g_remove("segman-0001.png");
    g_remove("segman-0002.png");
    g_rmdir(work);
    return failed;
}
