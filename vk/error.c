/* SPDX-License-Identifier: Apache-2.0 */
<<<<<<< HEAD
#include <stdarg.h>
#include <stdio.h>

#include "segman.h"

=======
#include "segman.h"

#include <stdarg.h>

>>>>>>> checkpoint
bool segman_fail(struct segman_error *error, enum segman_status status, const char *format, ...)
{
    if (!error)
        return false;
<<<<<<< HEAD
=======
    error->status = status;
>>>>>>> checkpoint
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
<<<<<<< HEAD
    error->status = status;
=======
>>>>>>> checkpoint
    return false;
}
