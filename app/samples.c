/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct app_summary app_samples_summary(const double *samples, size_t count)
{
    struct app_summary summary = {.count = count};
    double sum = 0, squares = 0;

    if (!count)
        return summary;
    g_autofree double *sorted = g_memdup2(samples, count * sizeof *samples);
    qsort(sorted, count, sizeof *sorted, ascending);
    for (size_t i = 0; i < count; i++)
        sum += sorted[i];
    summary.mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (sorted[i] - summary.mean) * (sorted[i] - summary.mean);
    summary.sd = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
    summary.min = sorted[0];
    summary.max = sorted[count - 1];
    summary.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    return summary;
}

json_t *app_samples_json(const double *samples, size_t count, bool all)
{
    struct app_summary s = app_samples_summary(samples, count);
    json_t *object = json_pack("{sf sf sf sf sf}", "mean", s.mean, "sd", s.sd, "min", s.min, "max", s.max, "median", s.median);
    json_t *list = all ? json_array() : NULL;

    for (size_t i = 0; list && i < count; i++)
        json_array_append_new(list, json_real(samples[i]));
    if (list)
        json_object_set_new(object, "samples", list);
    return object;
}
