/* SPDX-License-Identifier: Apache-2.0 */
#include "osd.h"

#include <glib.h>
#include <stdarg.h>
#include <string.h>

#define PERIOD (G_USEC_PER_SEC / 4) /* of the text */
#define CALM   0.1                  /* weight of a new value in a mean */

void app_rate_event(struct app_rate *rate, int64_t now)
{
    int64_t span = now - rate->since;

    if (!rate->since || span > 4 * G_USEC_PER_SEC) { /* the first one, or after a pause */
        *rate = (struct app_rate){.since = now};
        return;
    }
    rate->events++;
    if (span < G_USEC_PER_SEC)
        return;
    rate->rate = rate->events * (double)G_USEC_PER_SEC / (double)span;
    rate->since = now;
    rate->events = 0;
}

void app_osd_note(double *mean, double ms)
{
    *mean += (*mean > 0 ? CALM : 1) * (ms - *mean);
}

static void append(struct app_osd *osd, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void append(struct app_osd *osd, const char *format, ...)
{
    size_t used = strlen(osd->text);
    va_list args;

    va_start(args, format);
    g_vsnprintf(osd->text + used, sizeof osd->text - used, format, args);
    va_end(args);
}

/* ---- parts ------------------------------------------------------------------------------------------ */

static void append_clock(struct app_osd *osd, int64_t ns)
{
    int64_t seconds = MAX(ns, 0) / 1000000000;

    if (seconds >= 3600)
        append(osd, "%d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
    else
        append(osd, "%d:%02d", (int)(seconds / 60), (int)(seconds % 60));
}

static void append_position(struct app_osd *osd, const struct app_osd_params *p)
{
    append_clock(osd, p->position_ns);
    if (p->duration_ns > 0) {
        append(osd, " / ");
        append_clock(osd, p->duration_ns);
    }
    if (p->paused)
        append(osd, "  paused");
}

static void append_rates(struct app_osd *osd, const struct app_osd_params *p)
{
    append(osd, "\n<b>FPS</b>  %s %.1f, network %.1f, shown %.1f", p->live ? "capture" : "decoded", osd->captured.rate, osd->finished.rate,
           osd->shown.rate);
    if (osd->dropped)
        append(osd, ", %" G_GUINT64_FORMAT " left out", osd->dropped);
    if (osd->still)
        append(osd, ", %" G_GUINT64_FORMAT " still", osd->still);
}

static void append_stage(struct app_osd *osd, const char *name, double ms)
{
    if (ms > 0)
        append(osd, "\n%s %.*f ms", name, ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

static void append_stages(struct app_osd *osd, const struct app_osd_params *p)
{
    append_stage(osd, p->live ? "capture" : "decode", osd->read_ms);
    append_stage(osd, "upload", osd->upload_ms);
    append_stage(osd, "network", osd->network_ms);
    append_stage(osd, "blend and scale", osd->blend_ms);
    append_stage(osd, "present", osd->present_ms);
    append_stage(osd, "frame to screen", osd->glass_ms);
}

static void append_names(struct app_osd *osd, const struct app_osd_params *p)
{
    g_autofree char *model = g_markup_escape_text(p->model, -1), *device = g_markup_escape_text(p->device, -1);

    append(osd, "\n%s, %s", model, p->precision);
    append(osd, "\n%s", device);
    append(osd, "\nframe %ux%u, network %ux%u", p->width, p->height, p->net_width, p->net_height);
    append(osd, "\nwindow %ux%u, %s, view %s", p->presenter->width, p->presenter->height, p->presenter->mode, p->view);
}

const char *app_osd_write(struct app_osd *osd, const struct app_osd_params *params, int64_t now, bool force)
{
    if (!force && osd->written && now - osd->written < PERIOD)
        return osd->text;
    osd->written = now;
    osd->text[0] = '\0';
    if (params->level == APP_OSD_NONE)
        return osd->text;
    append_position(osd, params);
    append_rates(osd, params);
    if (params->level == APP_OSD_LINE)
        return osd->text;
    append_stages(osd, params);
    append_names(osd, params);
    if (osd->recorded)
        append(osd, "\nrecorded %" G_GUINT64_FORMAT " frames", osd->recorded);
    return osd->text;
}

const char *app_osd_keys(void)
{
    return "<b>Keys</b>\n"
           "q  quit\n"
           "Space, p  pause\n"
           ".  ,  a frame forward, back\n"
           "\342\206\220 \342\206\222  5 s     \342\206\221 \342\206\223  60 s\n"
           "f, double click  fullscreen\n"
           "Esc  leave fullscreen\n"
           "m  next view     c  confidence\n"
           "+  -  opacity of the masks\n"
           "l  legend\n"
           "click, hover  name the class\n"
           "s  screenshot\n"
           "i  statistics     O  on-screen display\n"
           "?  these keys";
}
