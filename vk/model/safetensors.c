/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .safetensors container: eight bytes of header length, a JSON header, the data. As its
 * specification demands, the tensors must cover the data without gap, overlap or rest. Values may
 * lie at any alignment.
 */
#include "checkpoint_internal.h"
#include "dataset.h"

#include <stdlib.h>
#include <string.h>

/*
 * The specification allows 100 MB. SegMAN-L takes 0.2 MB, and Jansson up to a hundred times a header's
 * size in memory where it is made of empty objects.
 */
#define SAFETENSORS_MAX_HEADER (2u << 20)

static const struct checkpoint_type safetensors_types[] = {
    {"F32", CHECKPOINT_F32, 4},   {"F16", CHECKPOINT_F16, 2},       {"BF16", CHECKPOINT_BF16, 2},     {"F64", CHECKPOINT_F64, 8},
    {"I64", CHECKPOINT_OTHER, 8}, {"I32", CHECKPOINT_OTHER, 4},     {"I16", CHECKPOINT_OTHER, 2},     {"I8", CHECKPOINT_OTHER, 1},
    {"U64", CHECKPOINT_OTHER, 8}, {"U32", CHECKPOINT_OTHER, 4},     {"U16", CHECKPOINT_OTHER, 2},     {"U8", CHECKPOINT_OTHER, 1},
    {"C64", CHECKPOINT_OTHER, 8}, {"F8_E4M3", CHECKPOINT_OTHER, 1}, {"F8_E5M2", CHECKPOINT_OTHER, 1}, {"BOOL", CHECKPOINT_OTHER, 1},
};

/* An offset or dimension: a whole number that is not negative. */
static bool json_size(const json_t *value, uint64_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *size = (uint64_t)json_integer_value(value);
    return true;
}

static const struct checkpoint_type *find_type(const char *name)
{
    for (size_t i = 0; name && i < sizeof(safetensors_types) / sizeof(safetensors_types[0]); i++) {
        if (strcmp(name, safetensors_types[i].name) == 0)
            return &safetensors_types[i];
    }
    return NULL;
}

/* Finds where the header lies and parses it. */
static json_t *read_header(struct checkpoint *checkpoint, struct segman_error *error)
{
    uint64_t length = 0;
    json_error_t at;
    char near[160];
    if (checkpoint->size < 8) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "is truncated: a safetensors file of only %llu bytes",
                        (unsigned long long)checkpoint->size);
        return NULL;
    }
    memcpy(&length, checkpoint->bytes, 8);
    if (length > checkpoint->size - 8) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                        "is truncated or damaged: its safetensors header should have %llu bytes, but only %llu follow",
                        (unsigned long long)length, (unsigned long long)(checkpoint->size - 8));
        return NULL;
    }
    if (length > SAFETENSORS_MAX_HEADER) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "its safetensors header has %llu bytes; at most %u are read",
                        (unsigned long long)length, SAFETENSORS_MAX_HEADER);
        return NULL;
    }
    json_t *header = json_loadb((const char *)checkpoint->bytes + 8, length, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(header)) {
        if (!header)
            checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "its safetensors header is not valid JSON: %s",
                            checkpoint_clean(near, sizeof(near), at.text, strlen(at.text)));
        else
            checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "its safetensors header is not a JSON object");
        json_decref(header);
        return NULL;
    }
    checkpoint->data = checkpoint->bytes + 8 + length;
    return header;
}

static bool add_tensor(struct checkpoint *checkpoint, const char *name, const json_t *value, struct segman_error *error)
{
    char quoted[160], text[96];
    uint64_t shape[CHECKPOINT_MAX_RANK], begin, end;
    const struct checkpoint_type *type = find_type(json_string_value(json_object_get(value, "dtype")));
    const json_t *dims = json_object_get(value, "shape"), *offsets = json_object_get(value, "data_offsets");
    const uint64_t data_size = checkpoint->size - (uint64_t)(checkpoint->data - checkpoint->bytes);

    checkpoint_clean(quoted, sizeof(quoted), name, strlen(name));
    if (!type) {
        const char *dtype = json_string_value(json_object_get(value, "dtype"));
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the type (dtype) \"%s\" of tensor \"%s\" is unknown",
                               checkpoint_clean(text, 32, dtype ? dtype : "", dtype ? strlen(dtype) : 0), quoted);
    }
    if (!json_is_array(dims) || json_array_size(dims) > CHECKPOINT_MAX_RANK)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the shape of tensor \"%s\" is not a list of at most %d dimensions",
                               quoted, CHECKPOINT_MAX_RANK);
    const uint32_t rank = (uint32_t)json_array_size(dims);
    for (uint32_t i = 0; i < rank; i++) {
        if (!json_size(json_array_get(dims, i), &shape[i]))
            return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "dimension %u of tensor \"%s\" is not a size", i, quoted);
    }
    if (json_array_size(offsets) != 2 || !json_size(json_array_get(offsets, 0), &begin) || !json_size(json_array_get(offsets, 1), &end))
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the data_offsets of tensor \"%s\" are not two offsets", quoted);
    if (begin > end || end > data_size)
        return checkpoint_fail(
            checkpoint, error, SEGMAN_ERROR_FORMAT,
            "the data_offsets %llu to %llu of tensor \"%s\" lie outside the file's %llu bytes of data: truncated or damaged",
            (unsigned long long)begin, (unsigned long long)end, quoted, (unsigned long long)data_size);
    struct checkpoint_entry *entry = checkpoint_add(checkpoint, name, strlen(name), type, rank, shape, error);
    if (!entry)
        return false;
    if (entry->tensor.count * type->bytes != end - begin)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                               "tensor \"%s\" has %llu bytes of data, but its shape %s of %s needs %llu", quoted,
                               (unsigned long long)(end - begin), checkpoint_shape_text(text, sizeof(text), rank, shape), type->name,
                               (unsigned long long)(entry->tensor.count * type->bytes));
    entry->offset = begin;
    return true;
}

static uint64_t entry_bytes(const struct checkpoint_entry *entry)
{
    return entry->tensor.count * entry->element_bytes;
}

static int by_offset(const void *a, const void *b)
{
    const struct checkpoint_entry *x = *(const struct checkpoint_entry *const *)a, *y = *(const struct checkpoint_entry *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (entry_bytes(x) > entry_bytes(y)) - (entry_bytes(x) < entry_bytes(y));
}

/* The tensors must follow one another from the first byte of the data to the last. */
static bool check_cover(struct checkpoint *checkpoint, struct segman_error *error)
{
    char name[160];
    const uint64_t size = checkpoint->size - (uint64_t)(checkpoint->data - checkpoint->bytes);
    uint64_t end = 0;
    bool ok = true;
    const struct checkpoint_entry **sorted = malloc((checkpoint->count + 1) * sizeof(const struct checkpoint_entry *));
    if (!sorted)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < checkpoint->count; i++)
        sorted[i] = &checkpoint->entries[i];
    qsort(sorted, checkpoint->count, sizeof(const struct checkpoint_entry *), by_offset);
    for (size_t i = 0; ok && i < checkpoint->count; i++) {
        const char *text = checkpoint_clean(name, sizeof(name), sorted[i]->tensor.name, strlen(sorted[i]->tensor.name));
        if (sorted[i]->offset < end)
            ok = checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the data of tensor \"%s\" overlaps another's", text);
        else if (sorted[i]->offset > end)
            ok = checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "there is a gap of %llu bytes before the data of tensor \"%s\"",
                                 (unsigned long long)(sorted[i]->offset - end), text);
        end = sorted[i]->offset + entry_bytes(sorted[i]);
    }
    if (ok && end != size)
        ok = checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "has %llu bytes after its last tensor that belong to none",
                             (unsigned long long)(size - end));
    free(sorted);
    return ok;
}

/* Keeps the metadata: texts only. */
static bool take_metadata(struct checkpoint *checkpoint, json_t *metadata, struct segman_error *error)
{
    const char *key;
    json_t *value;
    char name[160];
    if (!json_is_object(metadata))
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "its safetensors metadata is not a JSON object");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the metadata \"%s\" is not a text",
                                   checkpoint_clean(name, sizeof(name), key, strlen(key)));
    }
    checkpoint->metadata = json_incref(metadata);
    return true;
}

/* Classes and palette are JSON inside the metadata's texts. */
static bool take_dataset(struct checkpoint *checkpoint, struct segman_error *error)
{
    const char *classes_text = checkpoint_metadata(checkpoint, "segman.classes");
    const char *palette_text = checkpoint_metadata(checkpoint, "segman.palette");
    const char *key = "segman.classes";
    json_t *classes = NULL, *palette = NULL;
    json_error_t at;
    bool ok = false;
    if (!classes_text)
        return true;
    classes = json_loads(classes_text, 0, &at);
    if (classes && palette_text) {
        key = "segman.palette";
        palette = json_loads(palette_text, 0, &at);
    }
    if (!classes || (palette_text && !palette)) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the metadata \"%s\" is not valid JSON", key);
        goto done;
    }
    checkpoint->dataset = dataset_from_json(checkpoint_metadata(checkpoint, "segman.dataset"), classes, palette, checkpoint->label, error);
    ok = checkpoint->dataset != NULL;
done:
    json_decref(classes);
    json_decref(palette);
    return ok;
}

bool safetensors_open(struct checkpoint *checkpoint, struct segman_error *error)
{
    const char *name;
    json_t *value;
    bool ok = true;
    json_t *header = read_header(checkpoint, error);
    if (!header)
        return false;
    json_object_foreach(header, name, value)
    {
        ok = strcmp(name, "__metadata__") == 0 ? take_metadata(checkpoint, value, error) : add_tensor(checkpoint, name, value, error);
        if (!ok)
            break;
    }
    ok = ok && check_cover(checkpoint, error) && take_dataset(checkpoint, error);
    json_decref(header);
    return ok;
}
