/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include "app/log.h"
#include "app/loop.h"
#include "app/patience.h"

#include "../runner.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct app_engine engine;
static struct app_options options;

/* What the consumer saw. */
static struct {
    GString *order; /* frame numbers */
    uint64_t taken, firsts;
    uint64_t drop_at, fatal_at; /* frame numbers from 1; 0: none */
    bool pts_right;
    uint32_t first_in_flight;
    uint8_t labels[64];
} seen;

static enum app_verdict deliver(void *user, const struct app_delivery *frame, struct segman_error *error)
{
    (void)user;
    g_string_append_printf(seen.order, "%" G_GUINT64_FORMAT " ", frame->index);
    g_string_append_c(fake.diary, '!');
    seen.labels[seen.taken % 64] = frame->result->labels[0];
    seen.pts_right = seen.pts_right && frame->pts_ns == 1000 * (int64_t)frame->index;
    seen.taken++;
    if (seen.taken == seen.fatal_at) {
        segman_fail(error, SEGMAN_ERROR_IO, "the disk is full");
        return APP_FATAL;
    }
    return seen.taken == seen.drop_at ? APP_DROPPED : APP_TAKEN;
}

static bool on_first(void *user, struct segman_session *session, struct segman_error *error)
{
    (void)user;
    (void)error;
    seen.firsts++;
    seen.first_in_flight = segman_session_in_flight(session);
    return true;
}

/* Another device, once. */
static bool renewable;
static unsigned renewals;

static bool renew(void *user, struct segman_error *error)
{
    (void)user;
    (void)error;
    return ++renewals == 1;
}

static void reset(void)
{
    fake_reset();
    if (seen.order)
        g_string_free(seen.order, TRUE);
    memset(&seen, 0, sizeof seen);
    seen.order = g_string_new(NULL);
    seen.pts_right = true;
    renewable = false;
    renewals = 0;
    options.frames = 0;
    options.smooth = 0;
    options.skip_still = -1;
    options.parallel = 0;
}

static struct app_loop *make(bool legend, struct segman_error *error)
{
    struct app_loop_params params = {
        .engine = &engine,
        .options = &options,
        .view = SEGMAN_VIEW_OVERLAY,
        .legend = legend,
        .first = on_first,
        .deliver = deliver,
        .renew = renewable ? renew : NULL,
    };

    return app_loop_create(&params, error);
}

/* Runs to the end and checks what holds for every run. */
static struct app_loop_report run(bool legend, struct segman_error *error)
{
    struct app_loop *loop = make(legend, error);
    struct app_loop_report report;

    CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
    app_loop_run(loop, error);
    report = *app_loop_report(loop);
    CU_ASSERT_EQUAL(report.gpu_ms->len, report.frames);
    app_loop_destroy(loop);
    CU_ASSERT_EQUAL(fake.unreleased, 0);
    CU_ASSERT_TRUE(seen.pts_right);
    return report;
}

static void video(void)
{
    reset();
    struct app_loop_report report = run(false, NULL);

    CU_ASSERT_EQUAL(report.end, APP_END_INPUT);
    CU_ASSERT_EQUAL(report.frames, 10);
    CU_ASSERT_STRING_EQUAL(seen.order->str, "0 1 2 3 4 5 6 7 8 9 ");
    CU_ASSERT_EQUAL(fake.most_in_flight, 3); /* overlapped */
    CU_ASSERT_EQUAL(fake.sessions, 1);
    CU_ASSERT_EQUAL(seen.firsts, 1);
    CU_ASSERT_EQUAL(seen.first_in_flight, 0);
    CU_ASSERT_TRUE(g_str_has_prefix(fake.diary->str, "cbsw!rbsbsbsw!rbs"));
}

/* A live input may go on for weeks: figures take no more memory then. */
static void many_frames(void)
{
    reset();
    fake.frames = APP_LOOP_SAMPLES + 10;
    struct app_loop *loop = make(false, NULL);
    const struct app_loop_report *report = app_loop_report(loop);

    CU_ASSERT_EQUAL(app_loop_run(loop, NULL), APP_END_INPUT);
    CU_ASSERT_EQUAL(report->frames, APP_LOOP_SAMPLES + 10);
    CU_ASSERT_EQUAL(report->gpu_ms->len, APP_LOOP_SAMPLES);
    CU_ASSERT_EQUAL(report->wall_ms->len, APP_LOOP_SAMPLES);
    app_loop_destroy(loop);
}

/* Twice as many frames are in flight as networks run at once; without the memory for them there is one. */
static void parallel(void)
{
    struct segman_error error;

    reset();
    fake.parallel = 8;
    CU_ASSERT_EQUAL(run(false, NULL).frames, 10);
    CU_ASSERT_EQUAL(fake.most_in_flight, 4);
    reset();
    fake.parallel = 8;
    options.parallel = 3;
    CU_ASSERT_EQUAL(run(false, NULL).frames, 10);
    CU_ASSERT_EQUAL(fake.most_in_flight, 6);
    fake.fail_parallel = true;
    CU_ASSERT_PTR_NULL(make(false, &error)); /* asked for: said */
    reset();
    fake.parallel = 8;
    fake.fail_parallel = true;
    CU_ASSERT_EQUAL(run(false, NULL).frames, 10);
    CU_ASSERT_EQUAL(fake.most_in_flight, 3);
    reset();
    fake.parallel = 8;
    fake.info.kind = PIPE_KIND_LIVE;
    run(false, NULL);
    CU_ASSERT_EQUAL(fake.most_in_flight, 2);
}

static void still_frames(void)
{
    reset();
    options.smooth = 0.5;
    options.skip_still = 4;
    CU_ASSERT_EQUAL(run(false, NULL).skipped, 5);
    CU_ASSERT_EQUAL(fake.smooth, 0.5f);
    reset();
    CU_ASSERT_EQUAL(run(false, NULL).skipped, 0);
    reset();
    options.smooth = 0.5;
    options.skip_still = 4;
    fake.info.kind = PIPE_KIND_IMAGES; /* each stands for itself */
    CU_ASSERT_EQUAL(run(false, NULL).skipped, 0);
    CU_ASSERT_EQUAL(fake.smooth, 0);
}

static void some_frames(void)
{
    reset();
    options.frames = 4;
    CU_ASSERT_EQUAL(run(false, NULL).frames, 4);
    CU_ASSERT_EQUAL(fake.read, 4);
}

static void no_frames(void)
{
    reset();
    fake.frames = 0;
    struct app_loop_report report = run(false, NULL);
    CU_ASSERT_EQUAL(report.end, APP_END_INPUT);
    CU_ASSERT_EQUAL(report.frames, 0);
}

static void new_format(void)
{
    reset();
    fake.change_at = 5;
    struct app_loop_report report = run(false, NULL);

    CU_ASSERT_EQUAL(report.frames, 10);
    CU_ASSERT_EQUAL(fake.sessions, 2);
    CU_ASSERT_STRING_EQUAL(seen.order->str, "0 1 2 3 4 5 6 7 8 9 ");
    const char *destroyed = strchr(fake.diary->str, 'd'); /* after all five frames of the first format */
    CU_ASSERT_EQUAL(g_strrstr_len(fake.diary->str, destroyed - fake.diary->str, "!r"), destroyed - 2);
}

static void device_lost(void)
{
    struct segman_error error;

    reset();
    fake.fail_submit = 6;
    struct app_loop_report report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_FAILED);
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_DEVICE_LOST);
    CU_ASSERT_TRUE(report.frames < 6);

    reset();
    fake.fail_wait = 10; /* after the input's end */
    report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_FAILED);
    CU_ASSERT_STRING_EQUAL(error.message, "lost while waiting");
    CU_ASSERT_EQUAL(report.frames, 9);

    reset();
    fake.fail_create = true;
    CU_ASSERT_PTR_NULL(make(false, &error));
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_DEVICE_MEMORY);
}

/* The frame that is read stays, those in flight are lost; a second loss ends it. */
static void device_renewed(void)
{
    struct segman_error error;

    reset();
    renewable = true;
    fake.fail_submit = 6;
    struct app_loop_report report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_INPUT);
    CU_ASSERT_EQUAL(report.frames + report.lost, 10);
    CU_ASSERT(report.lost >= 1 && report.lost <= 2);
    CU_ASSERT_EQUAL(fake.sessions, 2);
    CU_ASSERT_TRUE(g_str_has_suffix(seen.order->str, "5 6 7 8 9 "));

    reset();
    renewable = true;
    renewals = 1;
    fake.fail_submit = 6;
    report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_FAILED);
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_DEVICE_LOST);

    reset();
    renewable = true;
    fake.info.kind = PIPE_KIND_LIVE;
    fake.pause_every = 2;
    fake.fail_wait = 4;
    report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_INPUT);
    CU_ASSERT_EQUAL(report.frames + report.lost, 10);
}

static void input_breaks(void)
{
    struct segman_error error;

    reset();
    fake.frames = 7;
    fake.end = PIPE_ERROR;
    struct app_loop_report report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_READ);
    CU_ASSERT_STRING_EQUAL(error.message, "the source broke");
    CU_ASSERT_EQUAL(report.frames, 7); /* none is lost */

    reset();
    fake.frames = 4;
    fake.end = PIPE_STOPPED;
    report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_STOPPED);
    CU_ASSERT_EQUAL(report.frames, 4);
}

static void consumer(void)
{
    struct segman_error error;

    reset();
    seen.drop_at = 3;
    struct app_loop_report report = run(false, &error);
    CU_ASSERT_EQUAL(report.frames, 10);
    CU_ASSERT_EQUAL(report.dropped, 1);

    reset();
    seen.fatal_at = 3;
    report = run(false, &error);
    CU_ASSERT_EQUAL(report.end, APP_END_FAILED);
    CU_ASSERT_STRING_EQUAL(error.message, "the disk is full");
    CU_ASSERT_EQUAL(seen.taken, 3);
}

/* Results do not wait for the next frame, two are in flight at most, and a loss in between is no end. */
static void live(void)
{
    reset();
    fake.info.kind = PIPE_KIND_LIVE;
    struct app_loop_report report = run(false, NULL);
    CU_ASSERT_EQUAL(report.frames, 10);
    CU_ASSERT_EQUAL(fake.most_in_flight, 2);

    reset();
    fake.info.kind = PIPE_KIND_LIVE;
    fake.pause_every = 1;
    report = run(false, NULL);
    CU_ASSERT_EQUAL(report.frames, 10);
    CU_ASSERT_STRING_EQUAL(seen.order->str, "0 1 2 3 4 5 6 7 8 9 ");
    CU_ASSERT_TRUE(g_str_has_prefix(fake.diary->str, "cbsw!rbs.w!rbs.w!rbs."));

    reset();
    fake.info.kind = PIPE_KIND_LIVE;
    fake.pause_every = 2;
    options.frames = 6;
    CU_ASSERT_EQUAL(run(false, NULL).frames, 6);
    CU_ASSERT_EQUAL(fake.read, 6);
}

static uint8_t by_pairs(uint64_t frame)
{
    return (uint8_t)(frame / 2 % 4);
}

/* Each picture's legend shows that picture's classes: where they changed, the picture runs again. */
static void stills(void)
{
    reset();
    fake.info.kind = PIPE_KIND_IMAGES;
    fake.frames = 3;
    fake.label = by_pairs;
    struct app_loop_report report = run(true, NULL);

    CU_ASSERT_EQUAL(report.frames, 3);
    CU_ASSERT_STRING_EQUAL(fake.diary->str, "cbsworbsw!rbsw!rbsworbsw!rd");
    CU_ASSERT_EQUAL(seen.labels[2], 1);
}

static uint8_t one(uint64_t frame)
{
    (void)frame;
    return 1;
}

static void video_legend(void)
{
    reset();
    fake.label = one;
    CU_ASSERT_EQUAL(run(true, NULL).frames, 10);
    CU_ASSERT_TRUE(g_str_has_prefix(fake.diary->str, "cbsworbsw!rbsbsbsw!r")); /* the first frame has it already */
    CU_ASSERT_PTR_EQUAL(strchr(fake.diary->str, 'o'), strrchr(fake.diary->str, 'o'));
}

/* A terminal: its two ends. False where there are none (a bare chroot). */
static bool open_terminal(int *end, int *other)
{
    *end = posix_openpt(O_RDWR | O_NOCTTY);
    *other = *end >= 0 && !grantpt(*end) && !unlockpt(*end) ? open(ptsname(*end), O_RDWR | O_NOCTTY) : -1;
    return *other >= 0;
}

/* What a run says on stderr, which is a terminal or a file, at this log level; g_free() it. NULL: there is no terminal. */
static char *said(bool terminal, enum segman_log_level level)
{
    FILE *file = terminal ? NULL : tmpfile();
    int end = file ? fileno(file) : -1, kept, other = end;
    char *text;

    if (terminal && !open_terminal(&end, &other))
        return NULL;
    text = g_malloc0(4096);
    kept = dup(STDERR_FILENO);
    dup2(other, STDERR_FILENO);
    app_log_init(level);
    run(false, NULL);
    fflush(stderr);
    if (!terminal)
        lseek(end, 0, SEEK_SET);
    else
        fcntl(end, F_SETFL, O_NONBLOCK);
    CU_ASSERT_TRUE(read(end, text, 4095) >= (terminal ? 1 : 0));
    dup2(kept, STDERR_FILENO);
    close(kept);
    app_log_init(SEGMAN_LOG_INFO);
    if (terminal)
        close(other);
    if (file)
        fclose(file);
    else
        close(end);
    return text;
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

/* A first frame that lets wait is said, once; on a terminal by a line that goes away. */
static void patience(void)
{
    static const char words[] = "waiting for the first frame";
    struct {
        bool terminal;
        enum segman_log_level level;
        gulong first_us;
        unsigned lines;
    } cases[] = {{false, SEGMAN_LOG_INFO, 300000, 1},
                 {false, SEGMAN_LOG_INFO, 0, 0},
                 {false, SEGMAN_LOG_WARNING, 300000, 0},
                 {true, SEGMAN_LOG_INFO, 300000, 1}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        reset();
        app_patience_after(G_USEC_PER_SEC / 10);
        fake.first_us = cases[i].first_us;
        options.no_progress = !cases[i].terminal;
        g_autofree char *text = said(cases[i].terminal, cases[i].level);
        if (!text) {
            printf("(no terminal here) ");
            continue;
        }
        CU_ASSERT_EQUAL(count(text, words), cases[i].lines);
        CU_ASSERT_EQUAL(count(text, "\033[K"), cases[i].terminal ? count(text, "\r") - count(text, "\n") : 0);
    }
    options.no_progress = true;
    app_patience_after(2 * G_USEC_PER_SEC);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"still frames", still_frames},
        {"video", video},
        {"networks at once", parallel},
        {"some frames", some_frames},
        {"many frames", many_frames},
        {"no frames", no_frames},
        {"format changes", new_format},
        {"device lost", device_lost},
        {"device lost and renewed", device_renewed},
        {"input breaks", input_breaks},
        {"consumer", consumer},
        {"live", live},
        {"stills with legend", stills},
        {"video with legend", video_legend},
        {"patience", patience},
        CU_TEST_INFO_NULL,
    };
    int failed;

    app_options_init(&options);
    options.no_progress = true;
    engine.model = segman_model_open(NULL, "synthetic:t:4", NULL);
    struct app_look_params look = {.model = "synthetic", .classes = 4, .opacity = 0.5};
    if (!engine.model || !app_look_init(&engine.look, &look, NULL) || !app_netsize_parse(&engine.size, NULL, APP_MODE_WHOLE, NULL))
        return 1;
    failed = runner_run("loop", tests, NULL);
    app_look_finish(&engine.look);
    segman_model_destroy(engine.model);
    g_string_free(fake.diary, TRUE);
    g_string_free(seen.order, TRUE);
    return failed;
}
