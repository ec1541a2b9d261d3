/* SPDX-License-Identifier: Apache-2.0 */
/* Live use: keys while the network runs, masks that stay, still frames, a stream that is lost and back. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "numbers.h"

#define STEADY "steady.mkv"
#define NOISY  "noisy.mkv"
#define WIDTH  96
#define HEIGHT 96
#define FRAMES 40

/* ---- clips ------------------------------------------------------------------------------------------- */

/* A gradient, the same in each frame, but for noise. */
static bool make_clip(const char *path, int noise)
{
    static uint8_t y[WIDTH * HEIGHT], c[WIDTH * HEIGHT / 4];
    struct pipe_sink_params params = {
        .output = path, .format = {.format = SEGMAN_FORMAT_I420, .width = WIDTH, .height = HEIGHT}, .fps_num = 10, .fps_den = 1};
    const uint8_t *planes[3] = {y, c, c};
    const uint32_t strides[3] = {WIDTH, WIDTH / 2, WIDTH / 2};
    struct segman_error error;
    struct pipe_sink *sink = pipe_sink_open(&params, &error);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    bool good = sink != NULL;
    memset(c, 128, sizeof(c));
    for (int64_t f = 0; good && f < FRAMES; f++) {
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            y[i] = (uint8_t)(60 + i / WIDTH + i % WIDTH / 2 + (noise ? g_rand_int_range(random, -noise, noise + 1) : 0));
        good = pipe_sink_write(sink, planes, strides, f * 100000000, 100000000, NULL, &error);
    }
    good = good && pipe_sink_close(sink, &error);
    pipe_sink_destroy(sink);
    return good;
}

static bool open_tiny(struct screen *s, const char *input, const char *option, const char *value)
{
    return screen_init(s, input, "-m", TINY, "--size", "96x96", option, value, NULL);
}

static bool shows(const struct screen *s)
{
    return s->w.shown.valid;
}

/* ---- keys while the network runs --------------------------------------------------------------------- */

/* The longest that events waited while frames of a network went through that is slower by far. */
static void test_keys(void)
{
    struct screen s;
    double worst = 0;
    CU_ASSERT_FATAL(screen_init(&s, CLIP, "--size", "320x320", NULL));
    CU_ASSERT_FATAL(screen_until(&s, 120, shows));
    uint64_t frames = s.w.finished + 3;
    int64_t end = g_get_monotonic_time() + 120 * G_USEC_PER_SEC;
    while (s.open && s.w.finished < frames && g_get_monotonic_time() < end) {
        g_usleep(3000);
        int64_t start = g_get_monotonic_time();
        bool on = s.w.help_on;
        screen_type(&s, "?");
        CU_ASSERT(s.w.help_on != on);
        worst = MAX(worst, (double)(g_get_monotonic_time() - start) / 1e3);
    }
    printf("(network %.0f ms, a key %.0f ms at most) ", s.w.lead_ms, worst);
    CU_ASSERT(s.w.finished >= frames);
    CU_ASSERT(worst < MAX(s.w.lead_ms / 2, 250));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* ---- time -------------------------------------------------------------------------------------------- */

static uint64_t wanted;
static bool has_still(const struct screen *s)
{
    return s->w.osd.still >= wanted;
}

static void test_skip_still(void)
{
    struct screen s;
    CU_ASSERT_FATAL(open_tiny(&s, STEADY, "--skip-still", "4"));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    const struct segman_result *r = &s.w.shown.result;
    uint32_t stride = r->labels_stride;
    g_autofree uint8_t *first = g_memdup2(r->labels, (gsize)stride * HEIGHT);
    wanted = 3;
    CU_ASSERT(screen_until(&s, 60, has_still));
    for (uint32_t y = 0; y < HEIGHT; y++)
        CU_ASSERT(memcmp(first + (size_t)y * stride, s.w.shown.result.labels + (size_t)y * stride, WIDTH) == 0);
    screen_type(&s, "i");
    screen_run(&s, 0.6);
    CU_ASSERT(s.w.osd_text.text && strstr(s.w.osd_text.text, " still"));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
}

/* Pixels that change their label from one frame shown to the next one, on average. */
static double flicker(const char *smooth)
{
    struct screen s;
    uint8_t last[WIDTH * HEIGHT];
    uint64_t changed = 0, pairs = 0, shown = UINT64_MAX;
    if (!open_tiny(&s, NOISY, "--smooth", smooth))
        return -1;
    while (pairs < 12 && s.open && screen_until(&s, 30, shows)) {
        const struct segman_result *r = &s.w.shown.result;
        if (s.w.shown.ticket.index != shown) {
            for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
                uint8_t label = r->labels[i / WIDTH * r->labels_stride + i % WIDTH];
                changed += shown != UINT64_MAX && label != last[i];
                last[i] = label;
            }
            pairs += shown != UINT64_MAX;
            shown = s.w.shown.ticket.index;
        }
        screen_run(&s, 0.005);
    }
    return screen_finish(&s) || !pairs ? -1 : (double)changed / (double)pairs;
}

static void test_smooth(void)
{
    double without = flicker("0"), with = flicker("0.9");
    printf("(%.0f pixels a frame change without, %.0f with) ", without, with);
    CU_ASSERT(without > 0 && with >= 0);
    CU_ASSERT(with < 0.6 * without);
}

/* ---- a stream that is lost --------------------------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), port = 0;
    if (!bind(fd, (struct sockaddr *)&address, size) && !getsockname(fd, (struct sockaddr *)&address, &size))
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

static GstElement *send_to(int port)
{
    g_autofree char *line = g_strdup_printf("videotestsrc is-live=true pattern=smpte ! video/x-raw,width=320,height=240,framerate=10/1"
                                            " ! x264enc tune=zerolatency key-int-max=5 ! mpegtsmux ! udpsink host=127.0.0.1 port=%d",
                                            port);
    GstElement *pipeline = gst_parse_launch(line, NULL);
    if (pipeline)
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
    return pipeline;
}

static void stop_sending(GstElement *pipeline)
{
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

static bool says_lost(const struct screen *s)
{
    return s->w.message_until && s->w.message.text && strstr(s->w.message.text, "stream lost, retrying");
}

static bool goes_on(const struct screen *s)
{
    return s->w.shown.valid && s->w.shown.ticket.index > wanted && !s->w.message_until;
}

static void test_lost(void)
{
    struct screen s;
    int port = free_port();
    GstElement *sender = send_to(port);
    g_autofree char *input = g_strdup_printf("udp://127.0.0.1:%d", port);
    CU_ASSERT_FATAL(sender != NULL);
    CU_ASSERT_FATAL(open_tiny(&s, input, NULL, NULL));
    CU_ASSERT_FATAL(screen_until(&s, 60, shows));
    screen_type(&s, "O"); /* no figures: only the message may differ */
    stop_sending(sender);
    screen_run(&s, 2); /* the last frames have come, and it is not yet lost */
    CU_ASSERT(!says_lost(&s) && screen_grab(&s));
    uint32_t *before = screen_copy(&s);
    CU_ASSERT(screen_until(&s, 30, says_lost) && screen_grab(&s));
    uint32_t text = s.height * 3 / 4;
    CU_ASSERT(screen_differs(&s, before, 0, text, s.width, s.height - text) > 200);
    CU_ASSERT_EQUAL(screen_differs(&s, before, 0, 0, s.width, text), 0); /* the last picture stays */
    free(before);
    wanted = s.w.shown.ticket.index + 3;
    sender = send_to(port);
    CU_ASSERT(screen_until(&s, 60, goes_on));
    CU_ASSERT_EQUAL(screen_finish(&s), 0);
    stop_sending(sender);
}

int main(int argc, char **argv)
{
    struct segman_error error;
    if (argc < 3)
        return 2;
    screen_folder = argv[1];
    screen_model = argv[2];
    g_autofree char *work = g_dir_make_tmp("segman-live-XXXXXX", NULL);
    if (!work || g_chdir(work) != 0 || !numbers_clip() || !numbers_model() || !pipe_init(&error) || !make_clip(STEADY, 0) ||
        !make_clip(NOISY, 12))
        return 1;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("live", NULL, NULL);
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {
        {"keys while the network runs", test_keys}, {"still frames", test_skip_still}, {"smooth", test_smooth}, {"lost stream", test_lost}};
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        if (argc < 4 || strcmp(argv[3], tests[i].name) == 0)
            CU_add_test(suite, tests[i].name, tests[i].test);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    g_remove(CLIP);
    g_remove(TINY);
    g_remove(STEADY);
    g_remove(NOISY);
    g_rmdir(work);
    return failed ? 1 : 0;
}
