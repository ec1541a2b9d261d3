/* SPDX-License-Identifier: Apache-2.0 */
#include "segman.h"

#include <stdarg.h>

bool segman_fail(struct segman_error *error, enum segman_status status, const char *format, ...)
{
    va_list args;
    if (!error)
        return false;
    error->status = status;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return false;
}
