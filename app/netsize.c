/* SPDX-License-Identifier: Apache-2.0 */
#include "netsize.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHORT_SIDE     512
#define LONG_PER_SHORT 4
#define CROP           1024
#define STRIDE         768
#define SIDE_MAX       8192

static bool parse_side(const char **text, uint32_t *side)
{
    char *end = NULL;
    guint64 value = g_ascii_isdigit(**text) ? g_ascii_strtoull(*text, &end, 10) : 0;

    if (value < 1 || value > SIDE_MAX)
        return false;
    *text = end;
    *side = (uint32_t)value;
    return true;
}

static bool parse_exact(struct app_netsize *rule, const char *text)
{
    rule->kind = APP_NETSIZE_EXACT;
    if (!parse_side(&text, &rule->height) || *text++ != 'x')
        return false;
    return parse_side(&text, &rule->width) && *text == '\0';
}

bool app_netsize_parse(struct app_netsize *rule, const char *text, enum app_mode mode, struct segman_error *error)
{
    bool fits = true;

    *rule = (struct app_netsize){.slide = mode == APP_MODE_SLIDE, .side = SHORT_SIDE};
    if (!text) {
        rule->kind = rule->slide ? APP_NETSIZE_NATIVE : APP_NETSIZE_SHORT;
    } else if (strcmp(text, "native") == 0) {
        rule->kind = APP_NETSIZE_NATIVE;
    } else if (g_str_has_prefix(text, "short:")) {
        const char *number = text + strlen("short:");
        fits = parse_side(&number, &rule->side) && *number == '\0';
    } else {
        fits = parse_exact(rule, text);
    }
    if (!fits)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "size is \"%s\", expected HxW, short:N or native, sides up to %d", text, SIDE_MAX);
    return true;
}

static uint32_t round_up(double side, uint32_t min_side)
{
    uint32_t whole = (uint32_t)floor(side + 0.5);

    return (MAX(whole, min_side) + 31) / 32 * 32;
}

static double scale_of(const struct app_netsize *rule, uint32_t width, uint32_t height)
{
    double to_short = (double)rule->side / MIN(width, height);
    double to_long = (double)rule->side * LONG_PER_SHORT / MAX(width, height);

    return rule->kind == APP_NETSIZE_SHORT ? MIN(to_short, to_long) : 1.0;
}

bool app_netsize_apply(const struct app_netsize *rule, uint32_t width, uint32_t height, uint32_t min_side,
                       struct app_netsize_result *result, struct segman_error *error)
{
    bool exact = rule->kind == APP_NETSIZE_EXACT;
    double scale = scale_of(rule, width, height);

    *result = (struct app_netsize_result){
        .width = round_up(exact ? rule->width : width * scale, min_side),
        .height = round_up(exact ? rule->height : height * scale, min_side),
    };
    if (result->width > SIDE_MAX || result->height > SIDE_MAX)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT,
                           "the network's size would be %ux%u (height x width), sides may be at most %d: give --size", result->height,
                           result->width, SIDE_MAX);
    if (rule->slide) {
        result->crop = CROP; /* libsegman clips crops to the image, each side by itself */
        result->stride = STRIDE;
    }
    return true;
}
