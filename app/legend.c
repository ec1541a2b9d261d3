/* SPDX-License-Identifier: Apache-2.0 */
#include "legend.h"

#include "text.h"

#include <glib.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <string.h>

#define STILL     0.001 /* share from which a still picture's class is listed */
#define APPEAR    0.004 /* the same in a video */
#define VANISH    0.002 /* and below which it is dropped again */
#define CALM      0.12  /* weight of a new frame in a video's running mean */
#define MOST_ROWS 24

struct app_legend {
    struct app_legend_params params;
    double share[SEGMAN_MAX_CLASSES];
    uint32_t order[SEGMAN_MAX_CLASSES]; /* listed classes, largest first */
    uint32_t listed, present;
    bool started;
    double font; /* pixels */
    cairo_surface_t *surface;
    uint8_t *rgba;
};

static double row_height(const struct app_legend *legend)
{
    return ceil(legend->font * 1.5);
}

static uint32_t most_rows(const struct app_legend *legend)
{
    double room = legend->params.height * 0.8 / row_height(legend) - 1;

    return (uint32_t)CLAMP(room, 1, MOST_ROWS);
}

struct app_legend *app_legend_create(const struct app_legend_params *params)
{
    struct app_legend *legend = g_new0(struct app_legend, 1);

    legend->params = *params;
    legend->font = CLAMP(params->height / 34.0, 10, 40);
    return legend;
}

void app_legend_destroy(struct app_legend *legend)
{
    if (!legend)
        return;
    if (legend->surface)
        cairo_surface_destroy(legend->surface);
    g_free(legend->rgba);
    g_free(legend);
}

/* ---- content ------------------------------------------------------------------------------------ */

static void follow(struct app_legend *legend, const uint64_t *counts)
{
    double weight = legend->params.moving && legend->started ? CALM : 1.0;
    double total = 0;

    for (uint32_t i = 0; i < 256; i++)
        total += (double)counts[i];
    for (uint32_t i = 0; i < legend->params.look->classes; i++)
        legend->share[i] += weight * ((total > 0 ? (double)counts[i] / total : 0) - legend->share[i]);
    legend->started = true;
}

static bool is_listed(const struct app_legend *legend, uint32_t class)
{
    for (uint32_t i = 0; i < legend->present; i++) {
        if (legend->order[i] == class)
            return true;
    }
    return false;
}

/* A neighbour moves up only when it is clearly larger, so that equal classes do not swap at every frame. */
static void sort(const struct app_legend *legend, uint32_t *order, uint32_t count)
{
    double margin = legend->params.moving ? 1.25 : 1.0;

    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = i; j > 0 && legend->share[order[j]] > legend->share[order[j - 1]] * margin; j--) {
            uint32_t swap = order[j];
            order[j] = order[j - 1];
            order[j - 1] = swap;
        }
    }
}

static uint32_t choose(const struct app_legend *legend, uint32_t *order)
{
    double appear = legend->params.moving ? APPEAR : STILL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < legend->present; i++) {
        if (legend->share[legend->order[i]] >= VANISH)
            order[count++] = legend->order[i];
    }
    for (uint32_t i = 0; i < legend->params.look->classes; i++) {
        if (legend->share[i] >= appear && !is_listed(legend, i) && app_look_shows(legend->params.look, i))
            order[count++] = i;
    }
    sort(legend, order, count);
    return count;
}

bool app_legend_update(struct app_legend *legend, const uint64_t counts[256])
{
    uint32_t order[SEGMAN_MAX_CLASSES];
    bool had_more = legend->present > legend->listed;
    uint32_t count, listed;
    bool same;

    if (!legend->params.moving)
        legend->present = 0;
    follow(legend, counts);
    count = choose(legend, order);
    listed = MIN(count, most_rows(legend));
    same = listed == legend->listed && (count > listed) == had_more && memcmp(order, legend->order, listed * sizeof *order) == 0;
    memcpy(legend->order, order, count * sizeof *order);
    legend->present = count;
    legend->listed = listed;
    return !same;
}

uint32_t app_legend_listed(const struct app_legend *legend, const uint32_t **classes, uint32_t *more)
{
    *classes = legend->order;
    *more = legend->present - legend->listed;
    return legend->listed;
}

/* ---- picture ------------------------------------------------------------------------------------ */

static PangoLayout *make_layout(const struct app_legend *legend, cairo_t *cairo)
{
    PangoLayout *layout = pango_cairo_create_layout(cairo);
    PangoFontDescription *font = pango_font_description_from_string("Sans");

    pango_font_description_set_absolute_size(font, legend->font * PANGO_SCALE);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    return layout;
}

static const char *row_text(const struct app_legend *legend, uint32_t row)
{
    return row < legend->listed ? legend->params.look->names[legend->order[row]] : "\342\200\246";
}

static uint32_t rows(const struct app_legend *legend)
{
    return legend->listed + (legend->present > legend->listed);
}

static int text_width(const struct app_legend *legend)
{
    cairo_surface_t *none = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(none);
    PangoLayout *layout = make_layout(legend, cairo);
    int widest = 0, width = 0;

    for (uint32_t i = 0; i < rows(legend); i++) {
        pango_layout_set_text(layout, row_text(legend, i), -1);
        pango_layout_get_pixel_size(layout, &width, NULL);
        widest = MAX(widest, width);
    }
    g_object_unref(layout);
    cairo_destroy(cairo);
    cairo_surface_destroy(none);
    return widest;
}

static void draw_row(const struct app_legend *legend, cairo_t *cairo, PangoLayout *layout, uint32_t row)
{
    double pad = legend->font * 0.5, size = legend->font;
    double y = pad + row * row_height(legend);
    int height = 0;

    if (row < legend->listed) {
        const uint8_t *color = legend->params.look->style.palette[legend->order[row]];
        cairo_set_source_rgb(cairo, color[0] / 255.0, color[1] / 255.0, color[2] / 255.0);
        cairo_rectangle(cairo, pad, y + (row_height(legend) - size) / 2, size, size);
        cairo_fill_preserve(cairo);
        cairo_set_source_rgba(cairo, 1, 1, 1, 0.7); /* a dark colour stays visible on the dark ground */
        cairo_set_line_width(cairo, 1);
        cairo_stroke(cairo);
    }
    pango_layout_set_text(layout, row_text(legend, row), -1);
    pango_layout_get_pixel_size(layout, NULL, &height);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_move_to(cairo, pad * 2 + size, y + (row_height(legend) - height) / 2);
    pango_cairo_show_layout(cairo, layout);
}

static void draw_all(struct app_legend *legend)
{
    cairo_t *cairo = cairo_create(legend->surface);
    PangoLayout *layout = make_layout(legend, cairo);

    cairo_set_source_rgba(cairo, 0, 0, 0, 0.6);
    cairo_paint(cairo);
    for (uint32_t i = 0; i < rows(legend); i++)
        draw_row(legend, cairo, layout, i);
    g_object_unref(layout);
    cairo_destroy(cairo);
    cairo_surface_flush(legend->surface);
}

struct segman_overlay app_legend_draw(struct app_legend *legend)
{
    double pad = legend->font * 0.5;
    uint32_t margin = (uint32_t)lround(legend->font * 0.6);
    uint32_t half = legend->params.width - legend->params.left;
    uint32_t width, height;

    if (!legend->listed)
        return (struct segman_overlay){0};
    width = (uint32_t)ceil(pad * 3 + legend->font) + (uint32_t)text_width(legend);
    width = MIN(width, MAX(half, 1));
    height = (uint32_t)ceil(pad * 2 + rows(legend) * row_height(legend));
    height = MIN(height, legend->params.height);
    if (legend->surface)
        cairo_surface_destroy(legend->surface);
    legend->surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)width, (int)height);
    if (cairo_surface_status(legend->surface) != CAIRO_STATUS_SUCCESS)
        return (struct segman_overlay){0};
    draw_all(legend);
    legend->rgba = g_realloc(legend->rgba, (gsize)width * height * 4);
    app_text_straight(legend->surface, legend->rgba, width, height);
    return (struct segman_overlay){.rgba = legend->rgba,
                                   .width = width,
                                   .height = height,
                                   .stride = width * 4,
                                   .x = (int32_t)(legend->params.left + MIN(margin, half > width ? half - width : 0)),
                                   .y = (int32_t)MIN(margin, legend->params.height - height)};
}
