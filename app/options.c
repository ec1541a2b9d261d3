/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#define AT(member)        offsetof(struct app_options, member)
#define FLAG(member)      APP_OPTION_FLAG, true, AT(member)
#define FLAG_ONCE(member) APP_OPTION_FLAG, false, AT(member)
#define TEXT(member)      APP_OPTION_TEXT, true, AT(member)
#define TEXT_ONCE(member) APP_OPTION_TEXT, false, AT(member)
#define LIST_ONCE(member) APP_OPTION_LIST, false, AT(member)
#define CHOICE(member)    APP_OPTION_CHOICE, true, AT(member)
#define COUNT(member)     APP_OPTION_COUNT, true, AT(member)
#define SHARE(member)     APP_OPTION_SHARE, true, AT(member)
#define LEVEL(member)     APP_OPTION_LEVEL, true, AT(member)

#define FILES        "Input and output"
#define LOOK         "Look"
#define WINDOW       "Window (where no output is given)"
#define NETWORK      "Network"
#define REPORTS      "Reports"
#define GENERAL      "General"
#define NET_COMMANDS (APP_SEGMENT | APP_BENCH)

/* clang-format off */
const struct app_option app_option_table[] = {
    {"input", 'i', "INPUT", NULL, NULL, FILES, APP_SEGMENT, TEXT_ONCE(input)},
    {"output", 'o', "OUTPUT", NULL, NULL, FILES, APP_SEGMENT, TEXT_ONCE(output)},
    {"camera-size", 0, "WxH", NULL, "of a camera; the nearest that it has", FILES, APP_SEGMENT, TEXT(camera_size)},
    {"camera-rate", 0, "N", NULL, NULL, FILES, APP_SEGMENT, COUNT(camera_rate)},
    {"reconnect", 0, "SECONDS", NULL, NULL, FILES, APP_SEGMENT, COUNT(reconnect)},
    {"stream-latency", 0, "MS", NULL, NULL, FILES, APP_SEGMENT, COUNT(stream_latency)},
    {"codec", 0, "NAME", NULL, "auto, h264, h265, av1, vp8, vp9, ffv1 or an encoder", FILES, APP_SEGMENT, TEXT(codec)},
    {"bitrate", 0, "N", NULL, "bits a second, k and M understood", FILES, APP_SEGMENT, COUNT(bitrate)},
    {"frames", 0, "N", NULL, "stop after N frames", FILES, NET_COMMANDS, COUNT(frames)},
    {"overwrite", 'y', NULL, NULL, "replace existing outputs (-n: never)", FILES, APP_SEGMENT, FLAG(overwrite)},
    {"no-overwrite", 'n', NULL, NULL, NULL, FILES, APP_SEGMENT, FLAG(keep)},

    {"view", 0, "VIEW", "overlay|mask|side-by-side|source", "overlay, mask, side-by-side or source", LOOK, APP_SEGMENT, CHOICE(view)},
    {"opacity", 0, "0..1", NULL, "of the masks (0.5)", LOOK, APP_SEGMENT, SHARE(opacity)},
    {"legend", 0, NULL, NULL, "name the classes in the picture", LOOK, APP_SEGMENT, FLAG(legend)},
    {"classes", 0, "LIST", NULL, "show only these: names or numbers, with commas", LOOK, APP_SEGMENT, TEXT(classes)},
    {"palette", 0, "NAME|FILE", NULL, "ade20k, coco_stuff164k, cityscapes, okabe_ito, file", LOOK, APP_SEGMENT, TEXT(palette)},

    {"no-window", 0, NULL, NULL, "write a file even where there is a display", WINDOW, APP_SEGMENT, FLAG(no_window)},
    {"fullscreen", 0, NULL, NULL, NULL, WINDOW, APP_SEGMENT, FLAG(fullscreen)},
    {"vsync", 0, "HOW", "on|off|adaptive", "on, off or adaptive", WINDOW, APP_SEGMENT, CHOICE(vsync)},
    {"sync", 0, "HOW", "aligned|latest", "masks on their own frame, or on the newest", WINDOW, APP_SEGMENT, CHOICE(sync)},
    {"record", 0, "FILE", NULL, "also write the annotated video", WINDOW, APP_SEGMENT, TEXT_ONCE(record)},
    {"loop", 0, NULL, NULL, NULL, WINDOW, APP_SEGMENT, FLAG(loop)},

    {"model", 'm', "NAME|FILE", NULL, "installed model, checkpoint, or synthetic:t", NETWORK, NET_COMMANDS, TEXT(model)},
    {"size", 0, "SIZE", NULL, "HxW, short:N or native (short:512)", NETWORK, NET_COMMANDS | APP_INSPECT, TEXT(size)},
    {"resize", 0, "HOW", "bilinear|area", "bilinear or area", NETWORK, NET_COMMANDS, CHOICE(resize)},
    {"mode", 0, "MODE", "whole|slide", "whole image, or slide: crops of 1024 at stride 768", NETWORK, NET_COMMANDS, CHOICE(mode)},
    {"precision", 0, "P", "auto|f32|f16", "auto, f32 or f16", NETWORK, NET_COMMANDS | APP_INSPECT, CHOICE(precision)},
    {"smooth", 0, "0..1", NULL, "steadier masks: weight of past frames where still (0)", NETWORK, NET_COMMANDS, SHARE(smooth)},
    {"skip-still", 0, "[N]", "4", "keep masks where no cell changes by more (4 of 255)", NETWORK, APP_SEGMENT, LEVEL(skip_still)},
    {"device", 'd', "DEVICE", NULL, "number, part of its name, or UUID", NETWORK, NET_COMMANDS | APP_INSPECT, TEXT(device)},
    {"parallel", 0, "N", NULL, NULL, NETWORK, NET_COMMANDS, COUNT(parallel)},
    {"tune", 0, NULL, NULL, NULL, NETWORK, NET_COMMANDS, FLAG(tune)},
    {"list-devices", 0, NULL, NULL, NULL, NETWORK, APP_SEGMENT, FLAG_ONCE(list_devices)},

    {"labels", 0, "OUT", NULL, "label masks: .mkv, .png, folder/ or pattern", REPORTS, APP_SEGMENT, TEXT_ONCE(labels)},
    {"stats", 0, "FILE", NULL, "pixels per frame and class: .csv, .json or - (csv)", REPORTS, APP_SEGMENT, TEXT_ONCE(stats)},
    {"dump", 0, "T=FILE.npy", NULL, "the first frame's tensor T (repeatable)", REPORTS, APP_SEGMENT, LIST_ONCE(dump)},
    {"warmup", 0, "N", NULL, "frames before the measured ones (10, or 3 s)", REPORTS, APP_BENCH, COUNT(warmup)},
    {"profile", 0, NULL, NULL, "time every pass: tables by operation and by stage", REPORTS, APP_BENCH, FLAG_ONCE(profile)},
    {"full", 0, NULL, NULL, "with --profile: every pass by itself too", REPORTS, APP_BENCH, FLAG_ONCE(full)},
    {"end-to-end", 0, "FILE", NULL, "also FILE from decoding to encoding", REPORTS, APP_BENCH, TEXT_ONCE(end_to_end)},
    {"plan", 0, NULL, NULL, "the memory plan for --size", REPORTS, APP_INSPECT, FLAG_ONCE(plan)},
    {"tensors", 0, NULL, NULL, "every tensor with type and shape", REPORTS, APP_INSPECT, FLAG_ONCE(tensors)},
    {"json", 0, NULL, NULL, "machine-readable result on stdout", REPORTS, APP_ALL, FLAG(json)},

    {"log-level", 0, "LEVEL", "error|warning|info|debug", "error, warning, info or debug", GENERAL, APP_ALL, CHOICE(log_level)},
    {"validate", 0, NULL, NULL, NULL, GENERAL, APP_SEGMENT, FLAG_ONCE(validate)},
    {"no-progress", 0, NULL, NULL, NULL, GENERAL, NET_COMMANDS, FLAG(no_progress)},
    {"help", 'h', NULL, NULL, "this help; segman COMMAND --help", GENERAL, APP_ALL, FLAG_ONCE(help)},
    {"version", 0, NULL, NULL, NULL, GENERAL, APP_ALL, FLAG_ONCE(version)},
};
/* clang-format on */
const size_t app_option_count = G_N_ELEMENTS(app_option_table);
G_STATIC_ASSERT(G_N_ELEMENTS(app_option_table) <= 64);

void app_options_init(struct app_options *options)
{
    *options =
        (struct app_options){.command = APP_SEGMENT, .opacity = 0.5, .reconnect = 60, .skip_still = -1, .log_level = SEGMAN_LOG_INFO};
}

void app_options_finish(struct app_options *options)
{
    for (size_t i = 0; i < app_option_count; i++) {
        char *field = (char *)options + app_option_table[i].offset;
        if (app_option_table[i].type == APP_OPTION_TEXT)
            g_free(*(char **)field);
        else if (app_option_table[i].type == APP_OPTION_LIST)
            g_strfreev(*(char ***)field);
    }
    *options = (struct app_options){0};
}

/* ---- values ------------------------------------------------------------------------------------ */

static bool set_flag(bool *field, const char *value)
{
    static const char *const words[] = {"no", "yes", "false", "true", "0", "1", "off", "on"};

    if (!value) {
        *field = true;
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(value, words[i]) == 0) {
            *field = i % 2;
            return true;
        }
    }
    return false;
}

static bool set_choice(int *field, const char *choices, const char *value)
{
    g_auto(GStrv) words = g_strsplit(choices, "|", -1);

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) {
            *field = i;
            return true;
        }
    }
    return false;
}

static bool set_count(uint64_t *field, const char *value)
{
    char *end = NULL;
    double number = g_ascii_strtod(value, &end);

    if (end == value || !isfinite(number) || number < 0)
        return false;
    if (*end == 'k')
        number *= 1e3, end++;
    else if (*end == 'M')
        number *= 1e6, end++;
    if (*end || number > 1e12 || number != floor(number))
        return false;
    *field = (uint64_t)number;
    return true;
}

static bool set_share(double *field, const char *value)
{
    char *end = NULL;
    double number = g_ascii_strtod(value, &end);

    if (end == value || *end || !(number >= 0 && number <= 1))
        return false;
    *field = number;
    return true;
}

static bool is_level(const char *value, double *number)
{
    char *end = NULL;

    *number = g_ascii_strtod(value, &end);
    return end != value && !*end && *number >= 0 && *number <= 255;
}

/* A number, or as a flag: yes is the usual one. */
static bool set_level(double *field, const char *usual, const char *value)
{
    bool yes = false;

    if (value && is_level(value, field))
        return true;
    if (!set_flag(&yes, value))
        return false;
    *field = yes ? g_ascii_strtod(usual, NULL) : -1;
    return true;
}

static void append(char ***field, const char *value)
{
    guint count = *field ? g_strv_length(*field) : 0;

    *field = g_renew(char *, *field, count + 2);
    (*field)[count] = g_strdup(value);
    (*field)[count + 1] = NULL;
}

static const char *wanted(const struct app_option *option)
{
    switch (option->type) {
    case APP_OPTION_FLAG:
        return "yes or no";
    case APP_OPTION_CHOICE:
        return option->choices;
    case APP_OPTION_COUNT:
        return "a whole number";
    case APP_OPTION_SHARE:
        return "a number from 0 to 1";
    case APP_OPTION_LEVEL:
        return "a number from 0 to 255";
    default:
        return "a text";
    }
}

bool app_options_set(struct app_options *options, const struct app_option *option, const char *value, struct segman_error *error)
{
    void *field = (char *)options + option->offset;
    bool fits = true;

    if (!value && option->type != APP_OPTION_FLAG && option->type != APP_OPTION_LEVEL)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s needs a value", option->name);
    switch (option->type) {
    case APP_OPTION_FLAG:
        fits = set_flag(field, value);
        break;
    case APP_OPTION_TEXT:
        fits = *value != '\0';
        g_free(*(char **)field);
        *(char **)field = g_strdup(value);
        break;
    case APP_OPTION_LIST:
        append(field, value);
        break;
    case APP_OPTION_CHOICE:
        fits = set_choice(field, option->choices, value);
        break;
    case APP_OPTION_COUNT:
        fits = set_count(field, value);
        break;
    case APP_OPTION_SHARE:
        fits = set_share(field, value);
        break;
    case APP_OPTION_LEVEL:
        fits = set_level(field, option->choices, value);
        break;
    }
    if (!fits)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s is \"%s\", expected %s", option->name, value, wanted(option));
    return true;
}

uint64_t app_options_bit(const char *name)
{
    for (size_t i = 0; i < app_option_count; i++) {
        if (strcmp(app_option_table[i].name, name) == 0)
            return UINT64_C(1) << i;
    }
    return 0;
}

/* ---- the command line --------------------------------------------------------------------------- */

static const struct app_option *find_spelled(const char *spelled)
{
    for (size_t i = 0; i < app_option_count; i++) {
        const struct app_option *option = &app_option_table[i];
        bool is_long = g_str_has_prefix(spelled, "--") && strcmp(spelled + 2, option->name) == 0;
        bool is_short = spelled[0] == '-' && spelled[1] == option->shorthand && option->shorthand;
        if (is_long || is_short)
            return option;
    }
    return NULL;
}

static gboolean on_option(const char *spelled, const char *value, gpointer data, GError **error)
{
    struct app_options *options = data;
    const struct app_option *option = find_spelled(spelled);
    struct segman_error why;

    if (app_options_set(options, option, value, &why)) {
        options->given |= UINT64_C(1) << (option - app_option_table);
        return TRUE;
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--%s", why.message);
    return FALSE;
}

static enum app_command command_of(const char *word)
{
    static const struct {
        const char *name;
        enum app_command command;
    } commands[] = {{"bench", APP_BENCH}, {"inspect", APP_INSPECT}, {"devices", APP_DEVICES}};

    for (size_t i = 0; word && i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].command;
    }
    return APP_SEGMENT;
}

static GOptionEntry *make_entries(enum app_command command, char ***positional)
{
    GOptionEntry *entries = g_new0(GOptionEntry, app_option_count + 2);
    size_t n = 0;

    for (size_t i = 0; i < app_option_count; i++) {
        const struct app_option *option = &app_option_table[i];
        if (!(option->commands & command))
            continue;
        entries[n].long_name = option->name;
        entries[n].short_name = option->shorthand;
        entries[n].flags = option->type == APP_OPTION_FLAG ? G_OPTION_FLAG_NO_ARG : G_OPTION_FLAG_FILENAME;
        entries[n].arg = G_OPTION_ARG_CALLBACK;
        entries[n++].arg_data = (gpointer)on_option;
    }
    entries[n] = (GOptionEntry){G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, positional, NULL, NULL};
    return entries;
}

/* A word of the command line, with the usual value where a level has none of its own: what follows may be the input. */
static char *complete(const char *word, const char *next)
{
    const struct app_option *option = g_str_has_prefix(word, "--") ? find_spelled(word) : NULL;
    double number;

    if (!option || option->type != APP_OPTION_LEVEL || (next && is_level(next, &number)))
        return g_strdup(word);
    return g_strconcat(word, "=", option->choices, NULL);
}

static bool take(char **field, char *word, const char *what, struct segman_error *error)
{
    if (*field)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "one %s is expected, found \"%s\" and \"%s\"", what, *field, word);
    *field = g_strdup(word);
    return true;
}

static bool take_positional(struct app_options *options, char **words, struct segman_error *error)
{
    guint count = words ? g_strv_length(words) : 0;
    guint most = options->command == APP_SEGMENT ? 2 : options->command == APP_INSPECT ? 1 : 0;
    guint next = 0;

    if (count > most)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "unexpected argument \"%s\"", words[most]);
    if (next < count && !(options->command == APP_SEGMENT && options->input && count == 1)) {
        char **field = options->command == APP_INSPECT ? &options->model : &options->input;
        if (!take(field, words[next++], options->command == APP_INSPECT ? "checkpoint" : "input", error))
            return false;
    }
    if (next < count && !take(&options->output, words[next], "output", error))
        return false;
    if (options->output && options->record) /* one writes without a window, the other beside one */
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "one output is expected, found \"%s\" and --record \"%s\"", options->output,
                           options->record);
    return true;
}

bool app_options_parse(struct app_options *options, int argc, char **argv, struct segman_error *error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    GOptionGroup *group = g_option_group_new("main", "", "", options, NULL);
    g_autoptr(GError) why = NULL;
    g_auto(GStrv) positional = NULL;
    g_auto(GStrv) copy = NULL;
    g_autofree GOptionEntry *entries = NULL;

    options->command = command_of(argc > 1 ? argv[1] : NULL);
    int skip = options->command == APP_SEGMENT ? 0 : 1;
    copy = g_new0(char *, argc + 1);
    for (int i = skip, n = 0; i < argc; i++)
        copy[n++] = complete(argv[i], i + 1 < argc ? argv[i + 1] : NULL);

    entries = make_entries(options->command, &positional);
    g_option_group_add_entries(group, entries);
    g_option_context_set_main_group(context, group);
    g_option_context_set_help_enabled(context, FALSE);
    if (!g_option_context_parse_strv(context, &copy, &why))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s", why->message);
    return take_positional(options, positional, error);
}
