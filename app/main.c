/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "log.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <locale.h>

/* In a window where nothing is to be written; to a file where there is no display. */
static int segment(const struct app_options *options)
{
    bool no_display = true;
    int code = app_window_wanted(options) ? app_window(options, &no_display) : APP_EXIT_DONE;

    if (!no_display)
        return code;
    if (app_window_wanted(options))
        app_log(SEGMAN_LOG_WARNING, "writing a file instead, as --no-window does");
    return app_run(options);
}

static int dispatch(const struct app_options *options)
{
    if (options->list_devices)
        return app_devices(options);
    switch (options->command) {
    case APP_BENCH:
        return app_bench(options);
    case APP_INSPECT:
        return app_inspect(options);
    case APP_DEVICES:
        return app_devices(options);
    default:
        return segment(options);
    }
}

static int print_help(enum app_command command)
{
    g_autofree char *text = app_options_help(command);

    fputs(text, stdout);
    return APP_EXIT_DONE;
}

static int print_version(void)
{
    puts("segman " SEGMAN_VERSION ", semantic video segmentation with SegMAN on Vulkan");
    return APP_EXIT_DONE;
}

/* A stream that the caller has closed fails from now on; without that, a file opened later would take its place. */
static void keep_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            return;
    }
}

/* What was printed may be lost only now, on a full disk, say. */
static int close_output(int code)
{
    int failed = ferror(stdout) || fflush(stdout) != 0;

    if (!failed || code != APP_EXIT_DONE)
        return code;
    app_log(SEGMAN_LOG_ERROR, "the standard output could not be written: %s", g_strerror(errno));
    return APP_EXIT_PARTIAL;
}

int main(int argc, char **argv)
{
    struct app_options options;
    struct segman_error error;
    int code = APP_EXIT_INIT;

    keep_streams();
    setlocale(LC_CTYPE, ""); /* numbers keep their decimal point */
    app_log_init(SEGMAN_LOG_INFO);
    app_options_init(&options);
    if (!app_options_parse(&options, argc, argv, &error)) {
        app_log(SEGMAN_LOG_ERROR, "%s (segman --help)", error.message);
    } else if (options.help) {
        code = print_help(options.command);
    } else if (options.version) {
        code = print_version();
    } else if (!app_options_config_file(&options, &error)) {
        app_log(SEGMAN_LOG_ERROR, "%s", error.message);
    } else {
        app_log_init((enum segman_log_level)options.log_level);
        code = dispatch(&options);
    }
    app_options_finish(&options);
    return close_output(code);
}
