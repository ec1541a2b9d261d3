/* SPDX-License-Identifier: Apache-2.0 */
#include "paths.h"

#include <glib.h>
#include <string.h>

#ifndef APP_DATA_DIR
#define APP_DATA_DIR "/usr/share/segman"
#endif
#define DEFAULT_MODEL "segman_t_indoor24"

static const char *const model_extensions[] = {".safetensors", ".pth", NULL};
static const char *const dataset_extensions[] = {".json", NULL};

char *app_paths_config(void)
{
    return g_build_filename(g_get_user_config_dir(), "segman", "segman.conf", NULL);
}

char *app_paths_cache(void)
{
    return g_build_filename(g_get_user_cache_dir(), "segman", NULL);
}

/* A program in its build folder has a file beside it that holds the path of the source's assets. */
static void add_program_dirs(GPtrArray *dirs)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = program ? g_path_get_dirname(program) : NULL;
    g_autofree char *note = NULL;
    g_autofree char *assets = NULL;

    if (!folder)
        return;
    g_ptr_array_add(dirs, g_build_filename(folder, "..", "share", "segman", NULL));
    note = g_build_filename(folder, "assets.path", NULL);
    if (g_file_get_contents(note, &assets, NULL, NULL))
        g_ptr_array_add(dirs, g_strdup(g_strstrip(assets)));
}

static GPtrArray *data_dirs(void)
{
    GPtrArray *dirs = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(dirs, g_build_filename(g_get_user_data_dir(), "segman", NULL));
    for (const char *const *dir = g_get_system_data_dirs(); *dir; dir++)
        g_ptr_array_add(dirs, g_build_filename(*dir, "segman", NULL));
    g_ptr_array_add(dirs, g_strdup(APP_DATA_DIR));
    add_program_dirs(dirs);
    return dirs;
}

static char *find_in(const char *dir, const char *kind, const char *name, const char *const *extensions)
{
    g_autofree char *path = g_build_filename(dir, kind, name, NULL);

    if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return g_steal_pointer(&path);
    for (; extensions && *extensions; extensions++) {
        g_autofree char *longer = g_strconcat(path, *extensions, NULL);
        if (g_file_test(longer, G_FILE_TEST_IS_REGULAR))
            return g_steal_pointer(&longer);
    }
    return NULL;
}

char *app_paths_data(const char *kind, const char *name, const char *const *extensions)
{
    g_autoptr(GPtrArray) dirs = data_dirs();
    char *found = NULL;

    for (guint i = 0; i < dirs->len && !found; i++)
        found = find_in(dirs->pdata[i], kind, name, extensions);
    return found;
}

static void list_dir(GPtrArray *names, const char *path, const char *const *extensions)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        for (size_t i = 0; extensions[i]; i++) {
            if (!g_str_has_suffix(name, extensions[i]))
                continue;
            g_autofree char *stem = g_strndup(name, strlen(name) - strlen(extensions[i]));
            if (!g_ptr_array_find_with_equal_func(names, stem, g_str_equal, NULL))
                g_ptr_array_add(names, g_steal_pointer(&stem));
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the installed files of some kinds, ", " between. */
static char *list_installed(const char *const *kinds, const char *const *extensions)
{
    g_autoptr(GPtrArray) dirs = data_dirs();
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (; *kinds; kinds++) {
        for (guint i = 0; i < dirs->len; i++) {
            g_autofree char *path = g_build_filename(dirs->pdata[i], *kinds, NULL);
            list_dir(names, path, extensions);
        }
    }
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return names->pdata[0] ? g_strjoinv(", ", (char **)names->pdata) : g_strdup("none");
}

/* A file's path is taken as it is; a bare word is looked up, in each kind. */
static char *resolve(const char *what, const char *const *kinds, const char *name, const char *const *extensions,
                     struct segman_error *error)
{
    g_autofree char *installed = NULL;
    char *found = NULL;

    if (g_file_test(name, G_FILE_TEST_IS_REGULAR))
        return g_strdup(name);
    if (g_file_test(name, G_FILE_TEST_IS_DIR)) {
        segman_fail(error, SEGMAN_ERROR_IO, "%s is a folder, not a %s", name, what);
        return NULL;
    }
    if (strchr(name, '/')) {
        segman_fail(error, SEGMAN_ERROR_IO, "%s %s %s", what, name,
                    g_file_test(name, G_FILE_TEST_EXISTS) ? "is no plain file" : "does not exist");
        return NULL;
    }
    for (const char *const *kind = kinds; *kind && !found; kind++)
        found = app_paths_data(*kind, name, extensions);
    if (found)
        return found;
    installed = list_installed(kinds, extensions);
    segman_fail(error, SEGMAN_ERROR_IO, "%s \"%s\" is neither a file nor an installed one (installed: %s)", what, name, installed);
    return NULL;
}

char *app_paths_model(const char *model, struct segman_error *error)
{
    static const char *const kinds[] = {"models", NULL};

    if (!model)
        model = DEFAULT_MODEL;
    if (g_str_has_prefix(model, "synthetic:"))
        return g_strdup(model);
    return resolve("model", kinds, model, model_extensions, error);
}

char *app_paths_palette(const char *palette, struct segman_error *error)
{
    static const char *const kinds[] = {"palettes", "datasets", NULL}; /* one for any dataset, or a dataset's own */

    return resolve("palette", kinds, palette, dataset_extensions, error);
}

char *app_paths_free_name(const char *stem, const char *extension)
{
    char *path = g_strconcat(stem, extension, NULL);

    for (unsigned i = 1; g_file_test(path, G_FILE_TEST_EXISTS); i++) {
        g_free(path);
        path = g_strdup_printf("%s-%u%s", stem, i, extension);
    }
    return path;
}
