/* SPDX-License-Identifier: Apache-2.0 */
/* A camera's formats: as a list for people, and the one that is taken. */
#include "devices.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WIDTH = 1280, DEFAULT_HEIGHT = 720, DEFAULT_RATE = 30 };

/* In the order in which they are liked: nothing to convert, little, a picture to decode, a stream to decode (which delays). */
static const struct kind {
    const char *caps, *format, *label;
} kinds[] = {
    {"video/x-raw", "NV12", "NV12"}, {"video/x-raw", "I420", "I420"}, {"video/x-raw", "BGRx", "BGRx"},
    {"video/x-raw", "RGBA", "RGBA"}, {"video/x-raw", NULL, NULL},     {"image/jpeg", NULL, "MJPEG"},
    {"video/x-h264", NULL, "H.264"}, {"video/x-h265", NULL, "H.265"}, {"video/x-vp8", NULL, "VP8"},
};

/** Place in the table; -1: nothing that is decoded here. */
static int kind_of(const char *name, const char *format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (!strcmp(kinds[i].caps, name) && (!kinds[i].format || !g_strcmp0(kinds[i].format, format)))
            return (int)i;
    return -1;
}

static bool in_plain_memory(const GstCaps *caps, guint i)
{
    const GstCapsFeatures *features = gst_caps_get_features(caps, i);
    return !features || gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
}

/** A structure's raw formats, or one NULL. Free with g_ptr_array_unref; the texts stay the structure's. */
static GPtrArray *formats_of(const GstStructure *s)
{
    GPtrArray *formats = g_ptr_array_new();
    const GValue *value = gst_structure_get_value(s, "format");

    if (value && G_VALUE_HOLDS_STRING(value))
        g_ptr_array_add(formats, (gpointer)g_value_get_string(value));
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++)
        g_ptr_array_add(formats, (gpointer)g_value_get_string(gst_value_list_get_value(value, i)));
    if (!formats->len)
        g_ptr_array_add(formats, NULL);
    return formats;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/** What of a structure matters, with values nearest to the wish. */
static GstStructure *fixated(const GstStructure *from, const char *format, int width, int height, int rate)
{
    static const char *const kept[] = {"width", "height", "framerate"};
    GstStructure *s = gst_structure_new_empty(gst_structure_get_name(from));

    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++) {
        const GValue *value = gst_structure_get_value(from, kept[i]);
        if (value)
            gst_structure_set_value(s, kept[i], value);
    }
    gst_structure_fixate_field_nearest_int(s, "width", width);
    gst_structure_fixate_field_nearest_int(s, "height", height);
    gst_structure_fixate_field_nearest_fraction(s, "framerate", rate, 1);
    if (format)
        gst_structure_set(s, "format", G_TYPE_STRING, format, NULL);
    return s;
}

/** The smaller the better. What the user asked for weighs more than what is only usual. */
static double cost(const GstStructure *s, int kind, const struct pipe_source_params *wish, int width, int height, int rate)
{
    int w = width, h = height, num = rate, den = 1;
    double size, speed;

    gst_structure_get_int(s, "width", &w);
    gst_structure_get_int(s, "height", &h);
    gst_structure_get_fraction(s, "framerate", &num, &den);
    size = abs(w - width) + abs(h - height);
    speed = den ? rate - (double)num / den : 0;
    if (wish->camera_rate)
        return (speed < 0 ? -speed : speed) * (wish->camera_width ? 10 : 1e7) + size * (wish->camera_width ? 1e6 : 1e2) + kind;
    return size * 1e5 + (speed > rate / 6.0 ? speed * 100 : 0) + kind; /* 25 for 30 is no loss */
}

GstCaps *pipe_modes_choose(const GstCaps *caps, const struct pipe_source_params *wish)
{
    static const struct pipe_source_params none = {0};
    const struct pipe_source_params *w = wish ? wish : &none;
    int width = w->camera_width ? (int)w->camera_width : DEFAULT_WIDTH, height = w->camera_height ? (int)w->camera_height : DEFAULT_HEIGHT;
    int rate = w->camera_rate ? (int)w->camera_rate : DEFAULT_RATE;
    double least = 0;
    GstCaps *best = NULL;

    for (guint i = 0; caps && !gst_caps_is_any(caps) && i < gst_caps_get_size(caps); i++) {
        const GstStructure *s = gst_caps_get_structure(caps, i);
        GPtrArray *formats = formats_of(s);
        for (guint f = 0; in_plain_memory(caps, i) && f < formats->len; f++) {
            const char *format = g_ptr_array_index(formats, f);
            int kind = kind_of(gst_structure_get_name(s), format);
            GstStructure *fixed = fixated(s, format, width, height, rate);
            double price = cost(fixed, kind, w, width, height, rate);
            if (kind >= 0 && (!best || price < least)) {
                least = price;
                gst_clear_caps(&best);
                best = gst_caps_new_full(fixed, NULL);
            } else {
                gst_structure_free(fixed);
            }
        }
        g_ptr_array_unref(formats);
    }
    return best;
}

/* ---- listing --------------------------------------------------------------------------------- */

static uint32_t greatest_int(const GValue *value)
{
    int greatest = 0;
    if (value && G_VALUE_HOLDS_INT(value))
        greatest = g_value_get_int(value);
    else if (value && GST_VALUE_HOLDS_INT_RANGE(value))
        greatest = gst_value_get_int_range_max(value);
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++)
        greatest = MAX(greatest, (int)greatest_int(gst_value_list_get_value(value, i)));
    return (uint32_t)MAX(greatest, 0);
}

static void greatest_fraction(const GValue *value, uint32_t *num, uint32_t *den)
{
    if (value && GST_VALUE_HOLDS_FRACTION_RANGE(value))
        value = gst_value_get_fraction_range_max(value);
    if (value && GST_VALUE_HOLDS_FRACTION(value)) {
        uint32_t n = (uint32_t)gst_value_get_fraction_numerator(value), d = (uint32_t)gst_value_get_fraction_denominator(value);
        if ((uint64_t)n * *den > (uint64_t)*num * d) {
            *num = n;
            *den = d;
        }
    }
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++)
        greatest_fraction(gst_value_list_get_value(value, i), num, den);
}

static int compare(gconstpointer a, gconstpointer b)
{
    const struct pipe_camera_format *x = a, *y = b;
    uint64_t p = (uint64_t)x->width * x->height, q = (uint64_t)y->width * y->height;
    int order = strcmp(x->format, y->format);
    return order ? order : (p < q) - (p > q);
}

struct pipe_camera_format *pipe_modes_list(const GstCaps *caps, size_t *count)
{
    GArray *list = g_array_new(FALSE, TRUE, sizeof(struct pipe_camera_format));

    for (guint i = 0; caps && !gst_caps_is_any(caps) && i < gst_caps_get_size(caps); i++) {
        const GstStructure *s = gst_caps_get_structure(caps, i);
        GPtrArray *formats = formats_of(s);
        for (guint f = 0; in_plain_memory(caps, i) && f < formats->len; f++) {
            const char *format = g_ptr_array_index(formats, f);
            int kind = kind_of(gst_structure_get_name(s), format);
            struct pipe_camera_format entry = {.fps_den = 1};
            if (kind < 0)
                continue;
            g_strlcpy(entry.format, kinds[kind].label ? kinds[kind].label : format ? format : "raw", sizeof entry.format);
            entry.width = greatest_int(gst_structure_get_value(s, "width"));
            entry.height = greatest_int(gst_structure_get_value(s, "height"));
            greatest_fraction(gst_structure_get_value(s, "framerate"), &entry.fps_num, &entry.fps_den);
            g_array_append_val(list, entry);
        }
        g_ptr_array_unref(formats);
    }
    g_array_sort(list, compare);
    *count = list->len;
    return (struct pipe_camera_format *)(gpointer)g_array_free(list, FALSE);
}
