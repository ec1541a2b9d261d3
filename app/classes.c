/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <glib.h>
#include <string.h>

#define LIST_MOST 40 /* classes that a message lists in full */

static bool same_name(const char *a, const char *b)
{
    g_autofree char *folded_a = g_utf8_casefold(a, -1);
    g_autofree char *folded_b = g_utf8_casefold(b, -1);

    return strcmp(folded_a, folded_b) == 0;
}

static bool find(const char *word, char *const *names, uint32_t count, uint32_t *class)
{
    guint64 number = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (same_name(word, names[i])) {
            *class = i;
            return true;
        }
    }
    if (!g_ascii_string_to_unsigned(word, 10, 0, count - 1, &number, NULL))
        return false;
    *class = (uint32_t)number;
    return true;
}

/* All names of a small model; of a large one those that share text with the word. */
static char *suggest(const char *word, char *const *names, uint32_t count)
{
    GString *text = g_string_new(NULL);
    g_autofree char *start = g_utf8_substring(word, 0, MIN(g_utf8_strlen(word, -1), 3));

    for (uint32_t i = 0; i < count; i++) {
        if (count <= LIST_MOST || strstr(names[i], start))
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", names[i]);
    }
    if (!text->len)
        g_string_append(text, "segman inspect lists them");
    return g_string_free(text, FALSE);
}

bool app_classes_parse(const char *list, char *const *names, uint32_t count, bool *shown, struct segman_error *error)
{
    g_auto(GStrv) words = g_strsplit(list, ",", -1);
    uint32_t class = 0, found = 0;

    for (uint32_t i = 0; i < count; i++)
        shown[i] = false;
    for (char **word = words; *word; word++) {
        g_strstrip(*word);
        if (!**word)
            continue;
        if (!g_utf8_validate(*word, -1, NULL))
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "the list of classes is not UTF-8");
        if (!find(*word, names, count, &class)) {
            g_autofree char *hint = suggest(*word, names, count);
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "the model has no class \"%s\" (it has 0 to %u: %.380s)", *word, count - 1,
                               hint);
        }
        shown[class] = true;
        found++;
    }
    return found > 0 || segman_fail(error, SEGMAN_ERROR_ARGUMENT, "the list of classes is empty");
}
