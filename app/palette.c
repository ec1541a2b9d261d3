/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <glib.h>
#include <math.h>

static double hue_channel(double hue, double offset)
{
    double x = fmod(hue + offset, 1.0) * 6;

    return CLAMP(fabs(x - 3) - 1, 0, 1);
}

void app_palette_generated(uint32_t i, uint8_t rgb[3])
{
    double hue = fmod(i * 0.61803398875, 1.0); /* golden ratio: never near an earlier one */
    double value = i / 12 % 2 ? 0.65 : 0.95;
    double saturation = i / 24 % 2 ? 0.45 : 0.75;

    for (int c = 0; c < 3; c++) {
        double pure = hue_channel(hue, (3 - c) % 3 / 3.0);
        rgb[c] = (uint8_t)lround(255 * value * (1 - saturation * (1 - pure)));
    }
}
