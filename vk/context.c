/* SPDX-License-Identifier: Apache-2.0 */
#include "context.h"
#include "net/tuning.h"

#include <stdlib.h>

struct segman_context *segman_context_create(const struct segman_context_params *params, struct segman_error *error)
{
    struct segman_context *c = calloc(1, sizeof(*c));
    if (!c) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    c->gpu = gpu_create(params ? params : &(struct segman_context_params){0}, error);
    if (!c->gpu) {
        free(c);
        return NULL;
    }
    c->tuning = net_tuning_create(); /* without one, estimates choose */
    if (c->tuning && gpu_tuning_path(c->gpu))
        net_tuning_load(c->tuning, gpu_tuning_path(c->gpu));
    return c;
}

void segman_context_destroy(struct segman_context *context)
{
    if (!context)
        return;
    net_tuning_destroy(context->tuning);
    gpu_destroy(context->gpu);
    free(context);
}

const struct segman_device_info *segman_context_device(const struct segman_context *context)
{
    return gpu_info(context->gpu);
}

uint32_t segman_context_validation_messages(const struct segman_context *context)
{
    return gpu_validation_messages(context->gpu);
}

uint32_t segman_context_allocations(const struct segman_context *context)
{
    return gpu_allocations(context->gpu);
}

bool segman_context_measure(struct segman_context *context, struct segman_peak *peak, struct segman_error *error)
{
    return gpu_peak_measure(context->gpu, peak, error);
}
