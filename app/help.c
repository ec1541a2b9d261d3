/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <glib.h>
#include <string.h>

#define HELP_COLUMN 27

static const char *heading(enum app_command command)
{
    switch (command) {
    case APP_BENCH:
        return "Usage: segman bench [options]\n"
               "Measures the network alone: GPU time and wall time of a frame.\n";
    case APP_INSPECT:
        return "Usage: segman inspect CHECKPOINT [options]\n"
               "Shows what a checkpoint holds: architecture, classes, parameters.\n";
    case APP_DEVICES:
        return "Usage: segman devices [options]\n"
               "Lists the Vulkan devices that the other commands choose from, and the cameras.\n";
    default:
        return "Usage: segman INPUT [OUTPUT] [options]\n"
               "       segman bench | inspect CHECKPOINT | devices\n"
               "       segman                   (a bundled clip shows what it does)\n"
               "INPUT:  video, image, folder or pattern of images, URI, camera[:NAME], -, test\n"
               "OUTPUT: .mp4 .mkv .webm .mov .png .jpg, folder/ or %04d.png; none: a window\n";
    }
}

static void append_option(GString *text, const struct app_option *option)
{
    gsize start = text->len;

    if (option->shorthand)
        g_string_append_printf(text, "  -%c, --%s", option->shorthand, option->name);
    else
        g_string_append_printf(text, "      --%s", option->name);
    if (option->argument)
        g_string_append_printf(text, " %s", option->argument);
    do {
        g_string_append_c(text, ' ');
    } while (text->len - start < HELP_COLUMN);
    g_string_append_printf(text, "%s\n", option->help);
}

/* A group's name, and the names of its options that have no line of their own. */
static void append_group(GString *text, const char *group, enum app_command command)
{
    const char *separator = "; also ";

    g_string_append(text, group);
    for (size_t i = 0; i < app_option_count; i++) {
        const struct app_option *option = &app_option_table[i];
        if (!(option->commands & command) || option->help || strcmp(option->group, group) != 0)
            continue;
        if (option->shorthand)
            g_string_append_printf(text, "%s-%c", separator, option->shorthand);
        else
            g_string_append_printf(text, "%s--%s", separator, option->name);
        separator = ", ";
    }
    g_string_append(text, ":\n");
}

char *app_options_help(enum app_command command)
{
    GString *text = g_string_new(heading(command));
    const char *group = "";

    for (size_t i = 0; i < app_option_count; i++) {
        const struct app_option *option = &app_option_table[i];
        if (!(option->commands & command) || !option->help)
            continue;
        if (strcmp(group, option->group) != 0)
            append_group(text, group = option->group, command);
        append_option(text, option);
    }
    if (command == APP_SEGMENT)
        g_string_append(text, "Exit: 0 done, 1 set-up failed, 2 input not playable, 3 partly failed, 4 signal\n");
    return g_string_free(text, FALSE);
}
