/* SPDX-License-Identifier: Apache-2.0 */
/**
 * look.h: class names, colours and which classes are shown, from the model and the options.
 */
#ifndef APP_LOOK_H
#define APP_LOOK_H

#include "vk/segman.h"

struct app_look_params {
    const struct segman_dataset *own; /**< the model's, or NULL */
    const char *model;                /**< its name, for messages */
    uint32_t classes;                 /**< the model's */
    const char *palette;              /**< --palette, or NULL */
    const char *shown;                /**< --classes, or NULL: all */
    double opacity;
};

struct app_look {
    uint32_t classes;
    char **names;                   /**< [classes], owned */
    struct segman_dataset *dataset; /**< named by the palette, or found by the class count; may be NULL */
    struct segman_dataset *colors;  /**< a palette file without classes, for any dataset; may be NULL */
    struct segman_style style;
};

/** Fails where the palette does not fit the model or a class is unknown. look->style is complete then. */
bool app_look_init(struct app_look *look, const struct app_look_params *params, struct segman_error *error);
void app_look_finish(struct app_look *look);
bool app_look_shows(const struct app_look *look, uint32_t class);

/** Colour i of a palette without end: hues far apart from one to the next. */
void app_palette_generated(uint32_t i, uint8_t rgb[3]);

/**
 * Reads a list of classes: names (any case) or numbers, with commas. shown[i] becomes true for those.
 */
bool app_classes_parse(const char *list, char *const *names, uint32_t count, bool *shown, struct segman_error *error);

#endif
