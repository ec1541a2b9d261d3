/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/options.h"
#include "app/window.h"

#include <glib.h>
#include <string.h>

/* Parses a command line written with blanks. */
static bool parse(struct app_options *options, const char *line, struct segman_error *error)
{
    g_autofree char *whole = g_strconcat("segman ", line, NULL);
    g_auto(GStrv) argv = NULL;
    int argc = 0;

    CU_ASSERT_TRUE_FATAL(g_shell_parse_argv(whole, &argc, &argv, NULL));
    app_options_init(options);
    return app_options_parse(options, argc, argv, error);
}

static void segment(void)
{
    struct app_options options;

    CU_ASSERT_TRUE_FATAL(
        parse(&options, "in.mp4 --view side-by-side -y out.mkv --opacity=0.25 -m a --dump a=b --dump c=d --bitrate 2.5M", NULL));
    CU_ASSERT_EQUAL(options.command, APP_SEGMENT);
    CU_ASSERT_STRING_EQUAL(options.input, "in.mp4");
    CU_ASSERT_STRING_EQUAL(options.output, "out.mkv");
    CU_ASSERT_STRING_EQUAL(options.model, "a");
    CU_ASSERT_EQUAL(SEGMAN_VIEW_OVERLAY + options.view, SEGMAN_VIEW_SIDE_BY_SIDE);
    CU_ASSERT_TRUE(options.overwrite && !options.keep);
    CU_ASSERT_DOUBLE_EQUAL(options.opacity, 0.25, 0);
    CU_ASSERT_EQUAL(options.bitrate, 2500000);
    CU_ASSERT_EQUAL(g_strv_length(options.dump), 2);
    CU_ASSERT_STRING_EQUAL(options.dump[1], "c=d");
    app_options_finish(&options);
}

static void levels(void)
{
    static const struct {
        const char *line;
        double level;
    } rows[] = {{"in.mp4 out.mkv", -1},
                {"--skip-still in.mp4 out.mkv", 4},
                {"--skip-still 2.5 in.mp4 out.mkv", 2.5},
                {"in.mp4 out.mkv --skip-still", 4},
                {"--skip-still=0 in.mp4 out.mkv", 0},
                {"in.mp4 --skip-still -o out.mkv", 4}};
    struct app_options options;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        CU_ASSERT_TRUE_FATAL(parse(&options, rows[i].line, NULL));
        CU_ASSERT_DOUBLE_EQUAL(options.skip_still, rows[i].level, 0);
        CU_ASSERT_STRING_EQUAL(options.input, "in.mp4");
        CU_ASSERT_STRING_EQUAL(options.output, "out.mkv");
        app_options_finish(&options);
    }
    CU_ASSERT_TRUE(parse(&options, "in", NULL));
    CU_ASSERT_TRUE(app_options_config(&options, "skip-still=6\nsmooth=0.5\n", "f", NULL));
    CU_ASSERT_TRUE(options.skip_still == 6 && options.smooth == 0.5);
    CU_ASSERT_TRUE(app_options_config(&options, "skip-still=yes\n", "f", NULL));
    CU_ASSERT_TRUE(options.skip_still == 4);
    CU_ASSERT_TRUE(app_options_config(&options, "skip-still=off\n", "f", NULL));
    CU_ASSERT_TRUE(options.skip_still == -1);
    app_options_finish(&options);
}

static void words(void)
{
    struct app_options options;

    CU_ASSERT_TRUE(parse(&options, "", NULL));
    CU_ASSERT_PTR_NULL(options.input);
    app_options_finish(&options);
    CU_ASSERT_TRUE(parse(&options, "- out.mp4", NULL));
    CU_ASSERT_STRING_EQUAL(options.input, "-");
    app_options_finish(&options);
    CU_ASSERT_TRUE(parse(&options, "-i bench out.mp4", NULL));
    CU_ASSERT_STRING_EQUAL(options.input, "bench");
    CU_ASSERT_STRING_EQUAL(options.output, "out.mp4");
    app_options_finish(&options);
    CU_ASSERT_TRUE(parse(&options, "inspect file.pth --tensors", NULL));
    CU_ASSERT_EQUAL(options.command, APP_INSPECT);
    CU_ASSERT_STRING_EQUAL(options.model, "file.pth");
    CU_ASSERT_TRUE(options.tensors);
    app_options_finish(&options);
    CU_ASSERT_TRUE(parse(&options, "bench --profile", NULL));
    CU_ASSERT_EQUAL(options.command, APP_BENCH);
    app_options_finish(&options);
    CU_ASSERT_TRUE(parse(&options, "-- -odd.mp4", NULL));
    CU_ASSERT_STRING_EQUAL(options.input, "-odd.mp4");
    app_options_finish(&options);
}

/* What only a run to files can give keeps from a window. */
static void window(void)
{
    static const struct {
        const char *line;
        bool wanted;
    } cases[] = {
        {"", true},
        {"a", true},
        {"a --record b", true},
        {"a --record b --labels c", true},
        {"a b", false},
        {"a --labels c", false},
        {"a --record b --json", false},
        {"a --record b --dump c=d", false},
        {"a --no-window", false},
    };
    struct app_options options;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        CU_ASSERT_TRUE(parse(&options, cases[i].line, NULL));
        CU_ASSERT_EQUAL(app_window_wanted(&options), cases[i].wanted);
        app_options_finish(&options);
    }
}

static void refused(void)
{
    static const char *const lines[] = {
        "--opacity 2", "--opacity x",  "--opacity nan",  "--view foo",     "--frames -1",    "--frames 1.5",    "--frames 1e30",
        "--no-such",   "a b c",        "-i a b c",       "bench file",     "--model",        "--model ''",      "devices -y",
        "inspect a b", "--bitrate 1G", "a b -o c",       "bench --legend", "--skip-still=x", "--skip-still=-2", "--skip-still=256",
        "--smooth",    "--smooth 1.1", "a b --record c",
    };
    struct app_options options;
    struct segman_error error;

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        bool good = parse(&options, lines[i], &error);
        if (good)
            printf("accepted: %s\n", lines[i]);
        CU_ASSERT_FALSE(good);
        app_options_finish(&options);
    }
    CU_ASSERT_FALSE(parse(&options, "--view foo", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "overlay|mask|side-by-side|source"));
    app_options_finish(&options);
}

static void config(void)
{
    struct app_options options;
    struct segman_error error;

    CU_ASSERT_TRUE(parse(&options, "in --opacity 0.1", NULL));
    CU_ASSERT_TRUE(app_options_config(&options, "# comment\nopacity = 0.9\nlegend=yes\nmodel=m\nwarmup=3\nview=mask\n", "f", &error));
    CU_ASSERT_DOUBLE_EQUAL(options.opacity, 0.1, 0); /* the command line wins */
    CU_ASSERT_TRUE(options.legend);
    CU_ASSERT_STRING_EQUAL(options.model, "m");
    CU_ASSERT_EQUAL(options.view, 1);
    CU_ASSERT_EQUAL(options.warmup, 0); /* another command's */
    CU_ASSERT_TRUE(app_options_config(&options, "[segman]\nlegend=off\n", "f", &error));
    CU_ASSERT_FALSE(options.legend);

    CU_ASSERT_FALSE(app_options_config(&options, "opacty=1\n", "the file", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "the file: unknown key \"opacty\""));
    CU_ASSERT_FALSE(app_options_config(&options, "input=x\n", "f", &error));
    CU_ASSERT_FALSE(app_options_config(&options, "view=sideways\n", "f", &error));
    CU_ASSERT_FALSE(app_options_config(&options, "no key here\n", "f", &error));
    CU_ASSERT_FALSE(app_options_config(&options, "[window]\nlegend=yes\n", "f", &error));
    CU_ASSERT_TRUE(app_options_config(&options, "legend = yes \t\r\n", "f", &error));
    CU_ASSERT_FALSE(app_options_config(&options, "model=\n", "f", &error));
    app_options_finish(&options);
}

static void config_file(void)
{
    g_autofree char *folder = scratch("segman");
    g_autofree char *path = scratch("segman/segman.conf");
    struct app_options options;

    CU_ASSERT_TRUE(parse(&options, "in -y", NULL));
    CU_ASSERT_TRUE(app_options_config_file(&options, NULL)); /* none there */
    g_mkdir_with_parents(folder, 0700);
    CU_ASSERT_TRUE_FATAL(g_file_set_contents(path, "no-overwrite=true\ndevice=filed\n", -1, NULL));
    CU_ASSERT_TRUE(app_options_config_file(&options, NULL));
    CU_ASSERT_FALSE(options.keep); /* -y was said now */
    CU_ASSERT_STRING_EQUAL(options.device, "filed");
    g_setenv("SEGMAN_DEVICE", "environment", TRUE);
    CU_ASSERT_TRUE(app_options_config_file(&options, NULL));
    CU_ASSERT_STRING_EQUAL(options.device, "environment");
    app_options_finish(&options);
    CU_ASSERT_TRUE(parse(&options, "in -d line", NULL));
    CU_ASSERT_TRUE(app_options_config_file(&options, NULL));
    CU_ASSERT_STRING_EQUAL(options.device, "line");
    CU_ASSERT_TRUE(options.keep);
    app_options_finish(&options);
    g_unsetenv("SEGMAN_DEVICE");
    remove(path);
}

/* Whether a help names an option: followed by neither a letter nor a hyphen. */
static bool names(const char *text, const char *option)
{
    for (const char *at = strstr(text, option); at; at = strstr(at + 1, option)) {
        char after = at[strlen(option)];
        if (!g_ascii_isalnum(after) && after != '-')
            return true;
    }
    return false;
}

static void help_names(void)
{
    static const enum app_command commands[] = {APP_SEGMENT, APP_BENCH, APP_INSPECT, APP_DEVICES};

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *text = app_options_help(commands[i]);
        for (size_t k = 0; k < app_option_count; k++) {
            const struct app_option *option = &app_option_table[k];
            g_autofree char *name = g_strdup_printf("--%s", option->name);
            g_autofree char *letter = g_strdup_printf("-%c", option->shorthand ? option->shorthand : '-');
            bool there = names(text, name) || (option->shorthand && names(text, letter));
            CU_ASSERT_EQUAL(there, (option->commands & commands[i]) != 0);
        }
    }
}

static void help(void)
{
    static const enum app_command commands[] = {APP_SEGMENT, APP_BENCH, APP_INSPECT, APP_DEVICES};

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *text = app_options_help(commands[i]);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        CU_ASSERT_TRUE(g_strv_length(lines) <= 41); /* one screen; the last one is empty */
        for (char **line = lines; *line; line++)
            CU_ASSERT_TRUE(strlen(*line) <= 80);
    }
}

CU_TestInfo test_options[] = {{"segment", segment},
                              {"levels", levels},
                              {"words", words},
                              {"refused", refused},
                              {"window", window},
                              {"configuration", config},
                              {"configuration file", config_file},
                              {"help fits", help},
                              {"help names all options, and no others", help_names},
                              CU_TEST_INFO_NULL};
