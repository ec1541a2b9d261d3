/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <glib.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <string.h>

void app_text_finish(struct app_text *text)
{
    g_free(text->text);
    g_free(text->rgba);
    *text = (struct app_text){0};
}

static uint8_t straight(uint32_t value, uint32_t alpha)
{
    return (uint8_t)(alpha ? MIN(255, (value * 255 + alpha / 2) / alpha) : 0);
}

void app_text_straight(cairo_surface_t *surface, uint8_t *rgba, uint32_t width, uint32_t height)
{
    const uint8_t *from = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t word, alpha;
            uint8_t *to = rgba + ((size_t)y * width + x) * 4;
            memcpy(&word, from + y * stride + x * 4, 4);
            alpha = word >> 24;
            for (int c = 0; c < 3; c++)
                to[c] = straight(word >> (16 - 8 * c) & 255, alpha);
            to[3] = (uint8_t)alpha;
        }
    }
}

static PangoLayout *make_layout(cairo_t *cairo, const char *markup, double font)
{
    PangoLayout *layout = pango_cairo_create_layout(cairo);
    PangoFontDescription *description = pango_font_description_from_string("Sans");

    pango_font_description_set_absolute_size(description, font * PANGO_SCALE);
    pango_layout_set_font_description(layout, description);
    pango_layout_set_markup(layout, markup, -1);
    pango_font_description_free(description);
    return layout;
}

static void measure(const char *markup, double font, int *width, int *height)
{
    cairo_surface_t *none = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(none);
    PangoLayout *layout = make_layout(cairo, markup, font);

    pango_layout_get_pixel_size(layout, width, height);
    g_object_unref(layout);
    cairo_destroy(cairo);
    cairo_surface_destroy(none);
}

static void paint(cairo_surface_t *surface, const struct app_text *text, double pad, const uint8_t *color)
{
    cairo_t *cairo = cairo_create(surface);
    PangoLayout *layout = make_layout(cairo, text->text, text->font);

    cairo_set_source_rgba(cairo, 0, 0, 0, 0.6);
    cairo_paint(cairo);
    if (color) {
        cairo_set_source_rgb(cairo, color[0] / 255.0, color[1] / 255.0, color[2] / 255.0);
        cairo_rectangle(cairo, pad, pad + text->font * 0.15, text->font, text->font);
        cairo_fill_preserve(cairo);
        cairo_set_source_rgba(cairo, 1, 1, 1, 0.7);
        cairo_set_line_width(cairo, 1);
        cairo_stroke(cairo);
    }
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_move_to(cairo, color ? pad * 2 + text->font : pad, pad);
    pango_cairo_show_layout(cairo, layout);
    g_object_unref(layout);
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
}

static void draw(struct app_text *text, const uint8_t *color)
{
    double pad = ceil(text->font * 0.5);
    int width = 0, height = 0;
    cairo_surface_t *surface;

    measure(text->text, text->font, &width, &height);
    text->width = (uint32_t)(width + (int)(2 * pad) + (color ? (int)(pad + text->font) : 0));
    text->height = (uint32_t)(height + (int)(2 * pad));
    surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)text->width, (int)text->height);
    if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS) {
        size_t bytes = (size_t)text->width * text->height * 4;
        if (bytes > text->capacity) /* doubled: a text that changes its length does not allocate each time */
            text->rgba = g_realloc(text->rgba, text->capacity = 2 * bytes);
        paint(surface, text, pad, color);
        app_text_straight(surface, text->rgba, text->width, text->height);
    } else {
        text->width = text->height = 0;
    }
    cairo_surface_destroy(surface);
}

bool app_text_set(struct app_text *text, const char *markup, double font, const uint8_t *color)
{
    const char *wanted = markup ? markup : "";

    if (strcmp(text->text ? text->text : "", wanted) == 0 && (text->font == font || !*wanted))
        return false;
    g_free(text->text);
    text->text = g_strdup(wanted);
    text->font = font;
    if (*wanted)
        draw(text, color);
    else
        text->width = text->height = 0;
    return true;
}

struct segman_overlay app_text_overlay(const struct app_text *text, int32_t x, int32_t y)
{
    return (struct segman_overlay){
        .rgba = text->width ? text->rgba : NULL, .width = text->width, .height = text->height, .stride = text->width * 4, .x = x, .y = y};
}
