/* SPDX-License-Identifier: Apache-2.0 */
/**
 * media.h: makes and reads media files for the tests, with GStreamer alone: nothing of pipeline/ is used, so that
 * its mistakes cannot hide here.
 */
#ifndef E2E_MEDIA_H
#define E2E_MEDIA_H

#include <glib.h>

struct media {
    gboolean edited;     /**< its container has edit lists: QuickTime's family */
    gboolean readable;   /**< to its end, without an error */
    guint width, height; /**< of the decoded frames */
    char format[16];     /**< of the decoded frames: "I420", "GRAY8", ... */
    gboolean rotated;    /**< carries an orientation tag other than rotate-0 */
    GArray *times;       /**< [frames] gint64 ns, in the order shown */
    GPtrArray *frames;   /**< [frames] GBytes, rows without padding; empty unless asked for */
    GBytes *audio;       /**< every packet of the first sound stream, as it lies in the file */
    GArray *audio_times; /**< gint64 ns, of each packet */
};

/** Decodes the pictures (into one-plane formats only where pixels are wanted) and collects the sound's packets. */
void media_read(struct media *media, const char *path, gboolean pixels);
void media_clear(struct media *media);

/** The indices of an indexed or gray PNG, a byte a pixel, not looked up in its palette; empty where it is neither. */
GBytes *png_indices(const char *path);

/** Runs a pipeline in gst-launch's language to its end. */
gboolean media_make(const char *description);

#endif
