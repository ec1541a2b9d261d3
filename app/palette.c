/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <glib.h>
#include <math.h>

/* Okabe and Ito, "Color Universal Design", 2008; black last, since it hides the frame. */
static const uint8_t okabe_ito[8][3] = {
    {230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {0, 114, 178}, {213, 94, 0}, {204, 121, 167}, {0, 0, 0},
};

void app_palette_okabe_ito(uint32_t i, uint8_t rgb[3])
{
    uint32_t round = i / 8;
    double toward = round % 2 ? 255 : 0;                       /* lighter and darker in turn */
    double amount = round ? 1 - pow(0.7, (round + 1) / 2) : 0; /* never quite white or black */

    for (int c = 0; c < 3; c++) {
        double from = okabe_ito[i % 8][c];
        rgb[c] = (uint8_t)lround(from + (toward - from) * amount);
    }
}

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
