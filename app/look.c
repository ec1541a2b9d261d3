/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include "paths.h"

#include <glib.h>
#include <jansson.h>
#include <string.h>

/* The published datasets are told apart by their number of classes. */
static const char *dataset_of(uint32_t classes)
{
    switch (classes) {
    case 19:
        return "cityscapes";
    case 150:
        return "ade20k";
    case 171:
        return "coco_stuff164k";
    default:
        return NULL;
    }
}

/* A file that names no classes has colours for any dataset, as many as it lists. */
static bool names_classes(const char *path)
{
    json_t *root = json_load_file(path, 0, NULL);
    bool named = json_object_get(root, "classes") != NULL;

    json_decref(root);
    return named;
}

static bool open_given(struct app_look *look, const struct app_look_params *params, struct segman_error *error)
{
    g_autofree char *path = app_paths_palette(params->palette, error);
    struct segman_dataset *given = path ? segman_dataset_open(path, error) : NULL;
    bool named = given && names_classes(path);

    if (!given)
        return false;
    *(named ? &look->dataset : &look->colors) = given;
    if (named ? given->classes == params->classes : given->classes >= params->classes)
        return true;
    return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "palette %s does not fit model %s: found colours for %u classes, expected %u",
                       params->palette, params->model, given->classes, params->classes);
}

/* A checkpoint without class names: by its class count, where that dataset is installed. */
static void open_guessed(struct app_look *look, const struct app_look_params *params)
{
    static const char *const extensions[] = {".json", NULL};
    const char *name = dataset_of(params->classes);
    g_autofree char *path = name ? app_paths_data("datasets", name, extensions) : NULL;

    look->dataset = path ? segman_dataset_open(path, NULL) : NULL;
    if (look->dataset && look->dataset->classes != params->classes) {
        segman_dataset_destroy(look->dataset);
        look->dataset = NULL;
    }
}

static void name_classes(struct app_look *look, const struct segman_dataset *dataset)
{
    look->names = g_new0(char *, look->classes + 1);
    for (uint32_t i = 0; i < look->classes; i++)
        look->names[i] = dataset ? g_strdup(dataset->class_names[i]) : g_strdup_printf("class %u", i);
}

static void color_classes(struct app_look *look, const struct segman_dataset *dataset)
{
    for (uint32_t i = 0; i < look->classes; i++) {
        uint8_t *color = look->style.palette[i];
        if (dataset)
            memcpy(color, dataset->palette[i], 3);
        else
            app_palette_generated(i, color);
        color[3] = 255;
    }
}

static bool show_only(struct app_look *look, const char *list, struct segman_error *error)
{
    bool shown[SEGMAN_MAX_CLASSES];

    if (!app_classes_parse(list, look->names, look->classes, shown, error))
        return false;
    for (uint32_t i = 0; i < look->classes; i++)
        look->style.palette[i][3] = shown[i] ? 255 : 0;
    return true;
}

bool app_look_init(struct app_look *look, const struct app_look_params *params, struct segman_error *error)
{

    const struct segman_dataset *dataset = NULL;

    *look = (struct app_look){.classes = params->classes, .style.opacity = (float)params->opacity};
    if (params->palette && !open_given(look, params, error))
        goto fail;
    if (!params->own && !look->dataset)
        open_guessed(look, params);
    dataset = look->dataset ? look->dataset : params->own;
    name_classes(look, dataset);
    color_classes(look, look->colors ? look->colors : dataset);
    if (params->shown && !show_only(look, params->shown, error))
        goto fail;
    return true;

fail:
    app_look_finish(look);
    return false;
}

void app_look_finish(struct app_look *look)
{
    g_strfreev(look->names);
    segman_dataset_destroy(look->dataset);
    segman_dataset_destroy(look->colors);
    *look = (struct app_look){0};
}

bool app_look_shows(const struct app_look *look, uint32_t class)
{
    return class < look->classes && look->style.palette[class][3] != 0;
}
