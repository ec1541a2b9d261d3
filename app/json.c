/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <glib.h>

#define DIGITS JSON_REAL_PRECISION(9)

json_t *app_json_text(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

    return valid ? json_string(valid) : json_null();
}

void app_json_inline(FILE *file, json_t *value)
{
    json_dumpf(value, file, JSON_COMPACT | JSON_ENCODE_ANY | DIGITS);
    json_decref(value);
}

void app_json_result(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | DIGITS);
    fputc('\n', stdout);
    json_decref(value);
}
