/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

static const char *result_name(VkResult result)
{
#define CASE(r)                                                                                                                            \
    case r:                                                                                                                                \
        return #r
    switch (result) {
        CASE(VK_SUCCESS);
        CASE(VK_NOT_READY);
        CASE(VK_TIMEOUT);
        CASE(VK_INCOMPLETE);
        CASE(VK_ERROR_OUT_OF_HOST_MEMORY);
        CASE(VK_ERROR_OUT_OF_DEVICE_MEMORY);
        CASE(VK_ERROR_INITIALIZATION_FAILED);
        CASE(VK_ERROR_DEVICE_LOST);
        CASE(VK_ERROR_MEMORY_MAP_FAILED);
        CASE(VK_ERROR_LAYER_NOT_PRESENT);
        CASE(VK_ERROR_EXTENSION_NOT_PRESENT);
        CASE(VK_ERROR_FEATURE_NOT_PRESENT);
        CASE(VK_ERROR_INCOMPATIBLE_DRIVER);
        CASE(VK_ERROR_TOO_MANY_OBJECTS);
        CASE(VK_ERROR_FORMAT_NOT_SUPPORTED);
        CASE(VK_ERROR_FRAGMENTED_POOL);
        CASE(VK_ERROR_OUT_OF_POOL_MEMORY);
        CASE(VK_ERROR_SURFACE_LOST_KHR);
        CASE(VK_ERROR_NATIVE_WINDOW_IN_USE_KHR);
        CASE(VK_ERROR_OUT_OF_DATE_KHR);
        CASE(VK_SUBOPTIMAL_KHR);
    default:
        return "an unknown Vulkan error";
    }
#undef CASE
}

static enum segman_status result_status(VkResult result)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return SEGMAN_ERROR_MEMORY;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
        return SEGMAN_ERROR_DEVICE_MEMORY;
    case VK_ERROR_DEVICE_LOST:
        return SEGMAN_ERROR_DEVICE_LOST;
    case VK_ERROR_INCOMPATIBLE_DRIVER:
        return SEGMAN_ERROR_NO_DEVICE;
    default:
        return SEGMAN_ERROR_UNSUPPORTED;
    }
}

bool gpu_fail(struct segman_error *error, VkResult result, const char *what)
{
    return segman_fail(error, result_status(result), "%s failed: %s", what, result_name(result));
}

void gpu_log(const struct gpu *gpu, enum segman_log_level level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (gpu->log)
        gpu->log(gpu->log_user, level, text);
    else if (level <= SEGMAN_LOG_WARNING)
        fprintf(stderr, "segman: %s\n", text);
}
