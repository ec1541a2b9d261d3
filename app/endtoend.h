/* SPDX-License-Identifier: Apache-2.0 */
/**
 * endtoend.h: the benchmark of the whole way, from decoding a file to encoding another.
 */
#ifndef APP_ENDTOEND_H
#define APP_ENDTOEND_H

#include "loop.h"

#include <jansson.h>

struct app_end_to_end {
    char *input, *encoder;
    struct app_loop_report report; /* its arrays are owned */
};

/** Annotates options->end_to_end into a temporary file that is removed again; returns an exit code. */
int app_end_to_end_run(struct app_end_to_end *result, const struct app_engine *engine, const struct app_options *options);
void app_end_to_end_finish(struct app_end_to_end *result);
/** Nothing when it did not run. */
void app_end_to_end_print(const struct app_end_to_end *result, FILE *out);
json_t *app_end_to_end_json(const struct app_end_to_end *result);

#endif
