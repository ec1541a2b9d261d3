/* SPDX-License-Identifier: Apache-2.0 */
/**
 * window.h: a source in a window: pictures with their masks, keys, on-screen display.
 *
 *   window.c         the command: opening, the loop, closing
 *   window_play.c    frames: reader -> session -> shown, and when
 *   window_events.c  keys, mouse, the window itself
 *   window_draw.c    overlays and drawing
 *   window_save.c    screenshots and recording
 *   window_lost.c    a device that is lost and set up again
 *   display.c        SDL's window and Vulkan surface
 *   osd.c            the figures and their text
 *
 * One thread does all but decoding (reader.h). A frame's way:
 *
 *   reader's queue -> feed(): submit -> [in flight] -> collect(): wait -> ready -> show() when due -> shown
 *
 * The shown frame keeps its slot, so that it can be drawn again (another view, a pause, a resize) without the network.
 */
#ifndef APP_WINDOW_H
#define APP_WINDOW_H

#include "commands.h"
#include "display.h"
#include "engine.h"
#include "legend.h"
#include "osd.h"
#include "output.h"
#include "reader.h"
#include "text.h"

#include <glib.h>

#define WINDOW_SLOTS  4 /* one shown, one waiting for its time, two in flight */
#define WINDOW_FLIGHT 2

/** Overlays, from below. */
enum { WINDOW_LEGEND, WINDOW_OSD, WINDOW_MESSAGE, WINDOW_HELP, WINDOW_HOVER };

/** What a frame carries beside its pixels. */
struct window_ticket {
    uint64_t index;
    int64_t pts_ns, duration_ns;
    int64_t arrived, submitted; /* microseconds, monotonic */
    uint32_t era;
    char name[256];
};

/** A finished frame; its slot is held. */
struct window_frame {
    bool valid;
    struct segman_result result;
    struct window_ticket ticket;
    uint64_t counts[APP_LABELS];
};

/** When files are shown: pts zero_pts at the moment zero. */
struct window_clock {
    bool running;
    int64_t zero;     /* microseconds, monotonic */
    int64_t zero_pts; /* nanoseconds */
};

struct app_window {
    const struct app_options *options;
    char *input;
    struct app_display display;
    struct app_engine engine;
    struct pipe_source *source;
    struct app_reader *reader;
    struct segman_session *session;
    struct segman_session_params params;
    struct segman_frame_format format, view_format;
    struct segman_presenter *presenter;
    struct app_output *record;

    struct window_ticket tickets[WINDOW_SLOTS];
    struct window_frame shown, ready;
    struct app_read held; /* taken from the reader, not yet submitted */
    struct app_read kept; /* a still's only frame */
    bool has_held, has_kept;
    uint64_t submitted, finished;
    uint32_t era, oldest_era; /* of the frame last submitted; older ones are not shown */
    struct window_clock clock;
    uint32_t picture; /* slot that is seen: with --sync latest the newest one, whose labels are still to come */
    bool latest;      /* --sync latest */
    bool blocking;    /* a CPU driver presents when its queue is done: nothing is drawn, and no key kept waiting, behind the network */
    double lead_ms;   /* from submission to result, running mean */
    int64_t fed;      /* when a frame was last submitted */

    bool timed, still; /* frames have their times; there is one frame only */
    bool paused, quit, ended, fed_all;
    uint32_t steps; /* frames to be shown although paused */
    enum segman_view view;
    bool confidence_before; /* view to return to from c: view_before */
    enum segman_view view_before;
    struct segman_style style;

    bool legend_on, help_on, hover_on;
    enum app_osd_level osd_level;
    struct app_legend *legend;
    uint64_t legend_frame; /* whose classes it lists */
    struct app_osd osd;
    struct app_text osd_text, message, help, hover;
    int64_t message_until;
    int64_t loss_told;        /* when the loss of a live input was last told */
    int32_t mouse_x, mouse_y; /* pixels of the window */
    bool changed;             /* to be drawn anew */
    bool minimised;
    uint32_t width, height; /* of the swapchain that overlays were placed for */
    int64_t drawn;          /* when it was last drawn */

    int exit_code;
    struct segman_error error;
    bool failed;
};

/** Whether the options ask for a window: no output of any other kind. */
bool app_window_wanted(const struct app_options *options);
/** The command; returns an exit code. *no_display: nothing was done, because there is no display. */
int app_window(const struct app_options *options, bool *no_display);

/** Opens everything; on failure exit_code and error say why. */
bool app_window_open(struct app_window *window, const struct app_options *options);
/** Events, frames and drawing, once, as far as possible now; false: it is to be closed. */
bool app_window_round(struct app_window *window);
void app_window_close(struct app_window *window);
/** Makes the presenter for the session, and places everything in the window. */
bool app_window_present(struct app_window *window);
/** Ends the loop because of window->error. Returns false. */
bool app_window_fail(struct app_window *window, int exit_code);

/* ---- window_play.c */
bool window_session(struct app_window *w, const struct segman_frame_format *format);
/** Feeds, collects and shows what can be now; false after a failure. */
bool window_play(struct app_window *w);
void window_pause(struct app_window *w, bool paused);
void window_step(struct app_window *w);
void window_seek(struct app_window *w, int64_t by_ns);
bool window_can_seek(const struct app_window *w);
void window_seek_to(struct app_window *w, int64_t at_ns);
/** Waits a little for the GPU, where something is in flight. */
bool window_in_flight(const struct app_window *w);
/** Whether a draw would come back soon. */
bool window_may_draw(const struct app_window *w);
void window_drop_all(struct app_window *w);

/* ---- window_lost.c */
/** After a failure: true where it was a lost device and all of it is there again. */
bool window_recover(struct app_window *w);

/* ---- window_events.c */
void window_events(struct app_window *w, int wait_ms);
void window_wake(void *window);

/* ---- window_draw.c */
bool window_draw(struct app_window *w);
/** A line that stays for a while. */
void window_say(struct app_window *w, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool window_resize(struct app_window *w);
struct segman_present window_present(const struct app_window *w);
/** Class and confidence under a pixel of the window; false where there is none. */
bool window_class_at(const struct app_window *w, int32_t x, int32_t y, uint32_t *label, double *confidence);
const char *window_class_name(const struct app_window *w, uint32_t label);

/* ---- window_save.c */
void window_screenshot(struct app_window *w);
bool window_record_open(struct app_window *w);
bool window_record(struct app_window *w, const struct window_frame *frame);
void window_record_close(struct app_window *w);

#endif
