/* SPDX-License-Identifier: Apache-2.0 */
/* YCbCr matrices (ITU-R BT.601, BT.709, BT.2020 non-constant luminance) in whole numbers. */
#include <math.h>

#include "internal.h"

static int32_t fixed(double v)
{
    return (int32_t)lrint(v * 65536);
}

static const struct {
    double red, blue; /* of luma */
} luma[] = {
    [SEGMAN_MATRIX_BT601] = {0.299, 0.114},
    [SEGMAN_MATRIX_BT709] = {0.2126, 0.0722},
    [SEGMAN_MATRIX_BT2020] = {0.2627, 0.0593},
};

struct frame_colour frame_colour(enum segman_matrix matrix, enum segman_range range)
{
    double kr = luma[matrix].red, kb = luma[matrix].blue, kg = 1 - kr - kb;
    double y = range == SEGMAN_RANGE_LIMITED ? 219.0 / 255 : 1, c = range == SEGMAN_RANGE_LIMITED ? 224.0 / 255 : 1;
    struct frame_colour m = {
        .y_black = range == SEGMAN_RANGE_LIMITED ? 16 : 0,
        .y_gain = fixed(1 / y),
        .cr_red = fixed(2 * (1 - kr) / c),
        .cb_green = fixed(-2 * kb * (1 - kb) / kg / c),
        .cr_green = fixed(-2 * kr * (1 - kr) / kg / c),
        .cb_blue = fixed(2 * (1 - kb) / c),
        .row = {{fixed(kr * y), fixed(kg * y), fixed(kb * y)},
                {fixed(-kr / (2 * (1 - kb)) * c), 0, fixed(c / 2)},
                {fixed(c / 2), 0, fixed(-kb / (2 * (1 - kr)) * c)}},
    };
    for (int i = 1; i < 3; i++) /* greys have exactly no colour */
        m.row[i][1] = -m.row[i][0] - m.row[i][2];
    return m;
}

static uint32_t component(const int32_t row[3], int32_t black, uint32_t r, uint32_t g, uint32_t b)
{
    int32_t v = black * 65536 + 32768 + row[0] * (int32_t)r + row[1] * (int32_t)g + row[2] * (int32_t)b;
    return v < 0 ? 0 : v >= 256 * 65536 ? 255 : (uint32_t)v >> 16;
}

uint32_t frame_ycbcr(const struct frame_colour *m, uint32_t r, uint32_t g, uint32_t b)
{
    return component(m->row[0], m->y_black, r, g, b) | component(m->row[1], 128, r, g, b) << 8 | component(m->row[2], 128, r, g, b) << 16;
}
