/* SPDX-License-Identifier: Apache-2.0 */
/**
 * commands.h: the program's commands. Each runs to its end and returns an exit code.
 */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "options.h"

/** Exit codes, as mpv's. */
enum app_exit {
    APP_EXIT_DONE = 0,
    APP_EXIT_INIT = 1,    /**< bad usage, or something could not be set up */
    APP_EXIT_INPUT = 2,   /**< the input could not be played */
    APP_EXIT_PARTIAL = 3, /**< some inputs or frames failed */
    APP_EXIT_SIGNAL = 4,  /**< stopped by a signal; the output is finalised */
};

int app_run(const struct app_options *options);
int app_bench(const struct app_options *options);
int app_inspect(const struct app_options *options);
int app_devices(const struct app_options *options);

#endif
