/* SPDX-License-Identifier: Apache-2.0 */
/**
 * osd.h: the figures of a running window, and their text. Figures are running means; the text is written at most four
 * times a second.
 */
#ifndef APP_OSD_H
#define APP_OSD_H

#include "vk/present.h"

enum app_osd_level { APP_OSD_NONE, APP_OSD_LINE, APP_OSD_ALL };

/** Events a second. */
struct app_rate {
    int64_t since; /* microseconds, monotonic */
    uint32_t events;
    double rate;
};
void app_rate_event(struct app_rate *rate, int64_t now);

struct app_osd {
    struct app_rate captured, finished, shown;
    double read_ms, upload_ms, network_ms, blend_ms, present_ms, glass_ms; /**< of one frame; 0: not known yet */
    uint64_t dropped, recorded;
    uint64_t still;    /**< frames that skipped the network */
    uint64_t captures; /**< frames read so far, as last seen */
    int64_t written;   /**< when the text was last written */
    char text[1536];
};

/** A value of the running mean *mean. */
void app_osd_note(double *mean, double ms);

struct app_osd_params {
    enum app_osd_level level;
    const char *model, *device, *precision, *view;
    uint32_t width, height, net_width, net_height;
    int64_t position_ns, duration_ns; /**< -1: unknown */
    bool paused, live;
    const struct segman_presenter_info *presenter;
};
/** Pango markup, valid until the next call; now and then a new one. force: the level or the pause changed. */
const char *app_osd_write(struct app_osd *osd, const struct app_osd_params *params, int64_t now, bool force);

/** The keys, as Pango markup. */
const char *app_osd_keys(void);

#endif
