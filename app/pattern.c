/* SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <math.h>
#include <stddef.h>

/* Splitmix64's mixing of a counter: noise without a state. */
static double noise(uint64_t counter)
{
    uint64_t z = (counter + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / (1 << 23) - 1.0;
}

static uint8_t value(uint32_t x, uint32_t y, uint32_t channel, uint64_t counter)
{
    double wave = 127.5 + 80 * sin(0.021 * (channel + 1) * x + 0.017 * (3.0 - channel) * y + channel);

    return (uint8_t)fmin(fmax(floor(wave + 30 * noise(counter)), 0), 255);
}

void app_pattern_fill(uint8_t *rgba, uint32_t width, uint32_t height, uint32_t stride)
{
    uint64_t counter = 0;

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint8_t *pixel = rgba + (size_t)y * stride + (size_t)x * 4;
            for (uint32_t c = 0; c < 3; c++)
                pixel[c] = value(x, y, c, counter++);
            pixel[3] = 255;
        }
    }
}
