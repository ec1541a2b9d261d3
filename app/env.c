/* SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

#include <stdlib.h>

static const char *text(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

const char *app_env_device(void)
{
    return text("SEGMAN_DEVICE");
}

bool app_env_no_color(void)
{
    return text("NO_COLOR") != NULL;
}
