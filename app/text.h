/* SPDX-License-Identifier: Apache-2.0 */
/**
 * text.h: lines of text as a small picture to be laid over a view or a window.
 */
#ifndef APP_TEXT_H
#define APP_TEXT_H

#include "vk/segman.h"

#include <cairo.h>

/** A text and its picture; drawn anew only when the text or its size changes. Zeroed: no text. */
struct app_text {
    char *text;
    double font; /**< pixels */
    uint8_t *rgba;
    size_t capacity;
    uint32_t width, height;
};

void app_text_finish(struct app_text *text);
/**
 * Sets the text (Pango markup; NULL or "": none) and draws it when it changed. color: RGB of a square before the first
 * line, or NULL. True when the picture changed.
 */
bool app_text_set(struct app_text *text, const char *markup, double font, const uint8_t *color);
/** The picture, at a place; rgba is NULL where there is no text. */
struct segman_overlay app_text_overlay(const struct app_text *text, int32_t x, int32_t y);

/** Cairo's premultiplied ARGB words as straight bytes R G B A, width * height of them. */
void app_text_straight(cairo_surface_t *surface, uint8_t *rgba, uint32_t width, uint32_t height);

#endif
