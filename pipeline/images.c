/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of image files: a folder's, or those that fit a printf pattern; in natural order. */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/** Finds the conversion: its start, its end, and its width (0: none). False where there is none, or more than one. */
static bool find_conversion(const char *text, size_t *start, size_t *end, unsigned *width)
{
    bool found = false;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] != '%')
            continue;
        if (text[i + 1] == '%') {
            i++;
            continue;
        }
        if (found)
            return false;
        *start = i++;
        *width = 0;
        while (isdigit((unsigned char)text[i]) && *width < 100)
            *width = *width * 10 + (unsigned)(text[i++] - '0');
        if ((text[i] != 'd' && text[i] != 'u' && text[i] != 'i') || *width > 20)
            return false;
        *end = i + 1;
        found = true;
    }
    return found;
}

bool pipe_is_pattern(const char *text)
{
    size_t start, end;
    unsigned width;
    const char *slash = strrchr(text, '/');
    return find_conversion(text, &start, &end, &width) && (!slash || text + start > slash);
}

/** Appends text[from..to) with "%%" read as "%". */
static void append_literal(GString *out, const char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        g_string_append_c(out, text[i]);
        if (text[i] == '%' && text[i + 1] == '%')
            i++;
    }
}

char *pipe_pattern_name(const char *pattern, uint64_t number)
{
    GString *out = g_string_new(NULL);
    size_t start, end;
    unsigned width;

    if (!find_conversion(pattern, &start, &end, &width)) {
        g_string_append(out, pattern);
        return g_string_free(out, FALSE);
    }
    append_literal(out, pattern, 0, start);
    g_string_append_printf(out, "%0*" G_GUINT64_FORMAT, (int)width, number);
    append_literal(out, pattern, end, strlen(pattern));
    return g_string_free(out, FALSE);
}

int pipe_natural_compare(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            char *end_a, *end_b;
            guint64 x = g_ascii_strtoull(a, &end_a, 10), y = g_ascii_strtoull(b, &end_b, 10);
            if (x != y)
                return x < y ? -1 : 1;
            a = end_a;
            b = end_b;
        } else if (*a != *b) {
            break;
        } else {
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = pipe_natural_compare(x, y);
    return order ? order : strcmp(x, y); /* 1.png and 01.png: any order, but always the same */
}

static bool has_image_extension(const char *name)
{
    static const char *const known[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pnm", ".webp", ".tif", ".tiff", ".tga"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < G_N_ELEMENTS(known); i++)
        if (!g_ascii_strcasecmp(dot, known[i]))
            return true;
    return false;
}

/** An image by its name, or, where the name does not say, by its content. */
static bool is_image(const char *path)
{
    bool image = false;
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return false;
    return has_image_extension(path) || (pipe_probe_file(path, path, &image, NULL) && image);
}

GPtrArray *pipe_images_of_folder(const char *folder, struct segman_error *error)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    GError *failure = NULL;
    GDir *dir = g_dir_open(folder, 0, &failure);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        char *path = g_build_filename(folder, name, NULL);
        if (name[0] != '.' && is_image(path))
            g_ptr_array_add(files, path);
        else
            g_free(path);
    }
    if (!dir)
        segman_fail(error, SEGMAN_ERROR_IO, "cannot read the folder %s: %s", folder, failure ? failure->message : "no reason given");
    else if (!files->len)
        segman_fail(error, SEGMAN_ERROR_IO, "the folder %s has no images in it", folder);
    if (dir)
        g_dir_close(dir);
    g_clear_error(&failure);
    if (!files->len)
        g_clear_pointer(&files, g_ptr_array_unref);
    else
        g_ptr_array_sort(files, compare_paths);
    return files;
}

/** Whether a file's name fits the pattern: some number in it gives that very name. */
static bool fits_pattern(const char *base, const char *name)
{
    size_t start, end;
    unsigned width;
    GString *prefix = g_string_new(NULL);
    bool fits = false;

    find_conversion(base, &start, &end, &width);
    append_literal(prefix, base, 0, start);
    if (g_str_has_prefix(name, prefix->str) && isdigit((unsigned char)name[prefix->len])) {
        char *again = pipe_pattern_name(base, g_ascii_strtoull(name + prefix->len, NULL, 10));
        fits = !strcmp(again, name);
        g_free(again);
    }
    g_string_free(prefix, TRUE);
    return fits;
}

GPtrArray *pipe_images_of_pattern(const char *pattern, struct segman_error *error)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    char *folder = g_path_get_dirname(pattern), *base = g_path_get_basename(pattern);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        if (fits_pattern(base, name))
            g_ptr_array_add(files, g_build_filename(folder, name, NULL));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(files, compare_paths);
    if (!files->len) {
        segman_fail(error, SEGMAN_ERROR_IO, "no file fits the pattern %s", pattern);
        g_clear_pointer(&files, g_ptr_array_unref);
    }
    g_free(folder);
    g_free(base);
    return files;
}
