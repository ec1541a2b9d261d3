/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of 255 classes takes about 20 KB; the limit keeps a wrong file from being read at all. */
#define DATASET_MAX_BYTES       (1 << 20)
#define DATASET_MAX_CLASS_BYTES 127

void dataset_generate_color(uint32_t i, uint8_t rgb[3])
{
    uint32_t bits = i + 1;
    rgb[0] = rgb[1] = rgb[2] = 0;
    for (unsigned shift = 7; bits && shift < 8; shift--, bits >>= 3) {
        for (unsigned c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(rgb[c] | ((bits >> c & 1) << shift));
    }
}

struct segman_dataset *dataset_create(uint32_t classes)
{
    struct segman_dataset *dataset = calloc(1, sizeof(*dataset));
    if (!dataset)
        return NULL;
    dataset->classes = classes;
    dataset->class_names = calloc(classes, sizeof(*dataset->class_names));
    dataset->palette = calloc(classes, sizeof(*dataset->palette));
    if (!dataset->class_names || !dataset->palette) {
        segman_dataset_destroy(dataset);
        return NULL;
    }
    for (uint32_t i = 0; i < classes; i++)
        dataset_generate_color(i, dataset->palette[i]);
    return dataset;
}

void segman_dataset_destroy(struct segman_dataset *dataset)
{
    if (!dataset)
        return;
    for (uint32_t i = 0; dataset->class_names && i < dataset->classes; i++)
        free(dataset->class_names[i]);
    free(dataset->class_names);
    free(dataset->palette);
    free(dataset);
}

/* Length of the UTF-8 sequence at s (shortest form, no surrogates), 0 where there is none. */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

bool dataset_text_valid(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        size_t n = utf8_sequence(s + i, length - i);
        bool c1 = n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0;
        if (n == 0 || s[i] < 0x20 || s[i] == 0x7f || c1)
            return false;
        i += n;
    }
    return true;
}

bool dataset_check_count(uint64_t classes, const char *source, struct segman_error *error)
{
    if (classes >= 1 && classes <= SEGMAN_MAX_CLASSES)
        return true;
    return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: has %llu classes; 1 to %d are possible", source, (unsigned long long)classes,
                       SEGMAN_MAX_CLASSES);
}

bool dataset_set_name(struct segman_dataset *dataset, const char *text, size_t length, const char *source, struct segman_error *error)
{
    if (length >= sizeof(dataset->name) || !dataset_text_valid(text, length))
        return segman_fail(error, SEGMAN_ERROR_FORMAT,
                           "%s: the dataset's name must be at most %zu bytes of UTF-8 without control characters", source,
                           sizeof(dataset->name) - 1);
    memcpy(dataset->name, text, length);
    dataset->name[length] = 0;
    return true;
}

bool dataset_set_class(struct segman_dataset *dataset, uint32_t i, const char *text, size_t length, const char *source,
                       struct segman_error *error)
{
    while (length > 0 && text[length - 1] == ' ')
        length--; /* mmseg's list of ADE20K has "bed " */
    if (length < 1 || length > DATASET_MAX_CLASS_BYTES || !dataset_text_valid(text, length))
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: the name of class %u must be 1 to %d bytes of UTF-8 without control characters",
                           source, i, DATASET_MAX_CLASS_BYTES);
    free(dataset->class_names[i]);
    dataset->class_names[i] = strndup(text, length);
    if (!dataset->class_names[i])
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "%s: out of memory", source);
    return true;
}

bool dataset_set_color(struct segman_dataset *dataset, uint32_t i, unsigned channel, int64_t value, const char *source,
                       struct segman_error *error)
{
    if (value < 0 || value > 255)
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: colour %u of the palette has the value %lld; 0 to 255 are possible", source, i,
                           (long long)value);
    dataset->palette[i][channel] = (uint8_t)value;
    return true;
}

const char *dataset_guess_name(const struct segman_dataset *dataset)
{
    static const struct {
        const char *name, *first, *last;
        uint32_t classes;
    } known[] = {{"ade20k", "wall", "flag", 150}, {"cityscapes", "road", "bicycle", 19}, {"coco_stuff164k", "person", "wood", 171}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (dataset->classes == known[i].classes && strcmp(dataset->class_names[0], known[i].first) == 0 &&
            strcmp(dataset->class_names[dataset->classes - 1], known[i].last) == 0)
            return known[i].name;
    }
    return "";
}

static bool json_classes(struct segman_dataset *dataset, const json_t *classes, const char *source, struct segman_error *error)
{
    char number[24];
    for (uint32_t i = 0; !classes && i < dataset->classes; i++) {
        int length = snprintf(number, sizeof(number), "class %u", i);
        if (!dataset_set_class(dataset, i, number, (size_t)length, source, error))
            return false;
    }
    if (!classes)
        return true;
    for (uint32_t i = 0; i < dataset->classes; i++) {
        const json_t *text = json_array_get(classes, i);
        if (!json_is_string(text))
            return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: class %u is not a text", source, i);
        if (!dataset_set_class(dataset, i, json_string_value(text), json_string_length(text), source, error))
            return false;
    }
    return true;
}

static bool json_palette(struct segman_dataset *dataset, const json_t *palette, const char *source, struct segman_error *error)
{
    if (!json_is_array(palette))
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: the palette is not a list of [red, green, blue]", source);
    if (json_array_size(palette) != dataset->classes)
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: has %u classes but a palette of %zu colours", source, dataset->classes,
                           json_array_size(palette));
    for (uint32_t i = 0; i < dataset->classes; i++) {
        const json_t *color = json_array_get(palette, i);
        if (!json_is_array(color) || json_array_size(color) != 3)
            return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: colour %u of the palette is not [red, green, blue]", source, i);
        for (unsigned c = 0; c < 3; c++) {
            const json_t *value = json_array_get(color, c);
            if (!json_is_integer(value))
                return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: colour %u of the palette is not made of whole numbers", source, i);
            if (!dataset_set_color(dataset, i, c, json_integer_value(value), source, error))
                return false;
        }
    }
    return true;
}

struct segman_dataset *dataset_from_json(const char *name, const json_t *classes, const json_t *palette, const char *source,
                                         struct segman_error *error)
{
    struct segman_dataset *dataset = NULL;
    if (classes && !json_is_array(classes)) {
        segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: the classes are not a list of texts", source);
        goto fail;
    }
    const size_t count = json_array_size(classes ? classes : palette);
    if (!dataset_check_count(count, source, error))
        goto fail;
    dataset = dataset_create((uint32_t)count);
    if (!dataset) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "%s: out of memory", source);
        goto fail;
    }
    if (!json_classes(dataset, classes, source, error) || (palette && !json_palette(dataset, palette, source, error)))
        goto fail;
    if (!name)
        name = dataset_guess_name(dataset);
    if (!dataset_set_name(dataset, name, strlen(name), source, error))
        goto fail;
    return dataset;
fail:
    segman_dataset_destroy(dataset);
    return NULL;
}

/* Reads a whole small file; the text is malloc'ed. */
static char *read_small_file(const char *path, uint64_t *size, struct segman_error *error)
{
    char *data = NULL;
    int fd = file_open(path, path, size, error);
    if (fd < 0)
        return NULL;
    if (*size < 1 || *size > DATASET_MAX_BYTES) {
        segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: has %llu bytes; a dataset file is JSON of 1 byte to %d KiB", path,
                    (unsigned long long)*size, DATASET_MAX_BYTES / 1024);
        goto done;
    }
    data = malloc(*size);
    if (!data || pread(fd, data, *size, 0) != (ssize_t)*size) {
        segman_fail(error, SEGMAN_ERROR_IO, "%s: cannot be read", path);
        free(data);
        data = NULL;
    }
done:
    close(fd);
    return data;
}

struct segman_dataset *segman_dataset_open(const char *path, struct segman_error *error)
{
    struct segman_dataset *dataset = NULL;
    json_t *root = NULL;
    json_error_t at;
    uint64_t size = 0;
    char *data = read_small_file(path, &size, error);
    if (!data)
        goto done;
    root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &at);
    if (!root) {
        segman_fail(error, SEGMAN_ERROR_FORMAT, "%s: is not a dataset file: JSON error in line %d: %.120s", path, at.line, at.text);
        goto done;
    }
    const json_t *name = json_object_get(root, "name");
    if (!json_is_string(name) || !json_is_array(json_object_get(root, "palette"))) {
        segman_fail(
            error, SEGMAN_ERROR_FORMAT,
            "%s: is not a dataset file: \"name\" (text), \"palette\" (list) and, but for palette files, \"classes\" (list) are needed",
            path);
        goto done;
    }
    dataset = dataset_from_json(json_string_value(name), json_object_get(root, "classes"), json_object_get(root, "palette"), path, error);
done:
    json_decref(root);
    free(data);
    return dataset;
}
