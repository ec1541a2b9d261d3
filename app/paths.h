/* SPDX-License-Identifier: Apache-2.0 */
/**
 * paths.h: where the program finds its data and keeps its files.
 */
#ifndef APP_PATHS_H
#define APP_PATHS_H

#include "vk/segman.h"

/** $XDG_CONFIG_HOME/segman/segman.conf; g_free() it. */
char *app_paths_config(void);
/** $XDG_CACHE_HOME/segman; g_free() it. */
char *app_paths_cache(void);

/**
 * Finds an installed data file: kind is a folder (models, datasets, palettes, clips), name a file in it, with
 * or without one of the extensions (NULL-terminated). Searched: $XDG_DATA_HOME/segman,
 * $XDG_DATA_DIRS/segman, the build's data folder, ../share/segman beside the program and, for a
 * program that still lies in its build folder, the source's assets. NULL where absent; g_free() it.
 */
char *app_paths_data(const char *kind, const char *name, const char *const *extensions);

/** A model's path from a file name, an installed name, "synthetic:..." or NULL (the bundled one). */
char *app_paths_model(const char *model, struct segman_error *error);
/** A palette's path from a file name, or an installed palette's or dataset's name. */
char *app_paths_palette(const char *palette, struct segman_error *error);

/** A path that does not exist yet: stem.ext, stem-1.ext, ...; g_free() it. */
char *app_paths_free_name(const char *stem, const char *extension);

#endif
