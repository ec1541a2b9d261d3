/* SPDX-License-Identifier: Apache-2.0 */
/**
 * json.h: small helpers over Jansson.
 */
#ifndef APP_JSON_H
#define APP_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** A string value from any bytes: what is not UTF-8 is replaced. NULL gives null. */
json_t *app_json_text(const char *text);
/** Prints a value on one line and drops its reference. */
void app_json_inline(FILE *file, json_t *value);
/** Prints a result, indented, with a newline, on stdout, and drops its reference. */
void app_json_result(json_t *value);

#endif
