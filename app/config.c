/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "env.h"
#include "paths.h"

#include <glib.h>
#include <string.h>

static const struct app_option *find_named(const char *name)
{
    for (size_t i = 0; i < app_option_count; i++) {
        if (strcmp(app_option_table[i].name, name) == 0)
            return &app_option_table[i];
    }
    return NULL;
}

static bool given(const struct app_options *options, const struct app_option *option)
{
    return options->given >> (option - app_option_table) & 1;
}

static bool set_key(struct app_options *options, GKeyFile *file, const char *group, const char *key, struct segman_error *error)
{
    const struct app_option *option = find_named(key);
    g_autofree char *value = NULL;

    if (!option)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "unknown key \"%s\"", key);
    if (!option->config)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "\"%s\" can only be given on the command line", key);
    if (given(options, option) || !(option->commands & options->command))
        return true;
    value = g_key_file_get_string(file, group, key, NULL);
    if (value)
        g_strchomp(value);
    return app_options_set(options, option, value ? value : "", error);
}

bool app_options_config(struct app_options *options, const char *text, const char *name, struct segman_error *error)
{
    static const char group[] = "segman";
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) why = NULL;
    g_autofree char *whole = g_strdup_printf("[%s]\n%s", group, text); /* the heading may be left out */
    g_auto(GStrv) groups = NULL;
    g_auto(GStrv) keys = NULL;
    struct segman_error inner;

    if (!g_key_file_load_from_data(file, whole, strlen(whole), G_KEY_FILE_NONE, &why))
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: %s", name, why->message);
    groups = g_key_file_get_groups(file, NULL);
    if (groups[1])
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: unknown heading [%s]", name, groups[1]);
    keys = g_key_file_get_keys(file, group, NULL, NULL);
    for (char **key = keys; key && *key; key++) {
        if (!set_key(options, file, group, *key, &inner))
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s: %s", name, inner.message);
    }
    return true;
}

bool app_options_config_file(struct app_options *options, struct segman_error *error)
{
    g_autofree char *path = app_paths_config();
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;
    const struct app_option *device = find_named("device");

    if (g_file_get_contents(path, &text, NULL, &why)) {
        if (!app_options_config(options, text, path, error))
            return false;
    } else if (!g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT) && !g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOTDIR)) {
        return segman_fail(error, SEGMAN_ERROR_IO, "%s", why->message);
    }
    if (given(options, find_named("overwrite")) && !given(options, find_named("no-overwrite")))
        options->keep = false;
    if (app_env_device() && !given(options, device))
        return app_options_set(options, device, app_env_device(), error);
    return true;
}
