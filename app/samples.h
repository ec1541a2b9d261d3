/* SPDX-License-Identifier: Apache-2.0 */
/**
 * samples.h: what a series of measurements says.
 */
#ifndef APP_SAMPLES_H
#define APP_SAMPLES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct app_summary {
    size_t count;
    double mean, sd, min, max, median; /**< sd of the sample (n - 1); all 0 for no samples */
};

struct app_summary app_samples_summary(const double *samples, size_t count);
/** {"mean", "sd", "min", "max", "median"}, and with all also "samples". */
json_t *app_samples_json(const double *samples, size_t count, bool all);

#endif
