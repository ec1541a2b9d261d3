/* SPDX-License-Identifier: Apache-2.0 */
/**
 * legend.h: a list of the classes in the picture, drawn as an overlay.
 */
#ifndef APP_LEGEND_H
#define APP_LEGEND_H

#include "look.h"

struct app_legend_params {
    const struct app_look *look;
    uint32_t width, height; /**< of the view */
    uint32_t left;          /**< where the annotated half begins (side by side), else 0 */
    bool moving;            /**< video: the list changes calmly; still: it fits each picture exactly */
};

struct app_legend;

struct app_legend *app_legend_create(const struct app_legend_params *params);
void app_legend_destroy(struct app_legend *legend);

/**
 * Tells how many pixels each class has in a frame. True when the legend's content changed, and then
 * app_legend_draw() gives the new picture.
 */
bool app_legend_update(struct app_legend *legend, const uint64_t counts[256]);
/** The picture; valid until the next call. rgba is NULL when no class is to be named. */
struct segman_overlay app_legend_draw(struct app_legend *legend);
/** Classes that are listed, largest first, and how many more there are. */
uint32_t app_legend_listed(const struct app_legend *legend, const uint32_t **classes, uint32_t *more);

#endif
