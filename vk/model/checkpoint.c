/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint_internal.h"
#include "dataset.h"
#include "file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- messages -------------------------------------------------------------------------------- */

struct names {
    char name[160], shape[96];
};

static const char *clean_name(struct names *buffer, const char *name)
{
    return checkpoint_clean(buffer->name, sizeof(buffer->name), name, strlen(name));
}

static const char *shape_text(struct names *buffer, uint32_t rank, const uint64_t *shape)
{
    return checkpoint_shape_text(buffer->shape, sizeof(buffer->shape), rank, shape);
}

bool checkpoint_fail(const struct checkpoint *checkpoint, struct segman_error *error, enum segman_status status, const char *format, ...)
{
    char text[sizeof(error->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return segman_fail(error, status, "%s: %s", checkpoint->label, text);
}

bool checkpoint_fail_value(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor, uint64_t i,
                           struct segman_error *error)
{
    struct names buffer;
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                           "value %llu of tensor \"%s\" (%s %s) is not a finite number: found NaN, infinity or more than float32 can hold",
                           (unsigned long long)i, clean_name(&buffer, tensor->name), tensor->dtype_name,
                           shape_text(&buffer, tensor->rank, tensor->shape));
}

/* ---- what kind of file ------------------------------------------------------------------------ */

enum content { CONTENT_SAFETENSORS, CONTENT_ZIP, CONTENT_FOREIGN };

static bool is_text(const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size && i < 256; i++) {
        bool space = bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t';
        bool control = bytes[i] < 0x20 || bytes[i] == 0x7f, never_utf8 = bytes[i] >= 0xf5;
        if ((control && !space) || never_utf8)
            return false;
    }
    return true;
}

/* Says what a file is that is no checkpoint of ours; NULL where nobody knows. */
static const char *foreign_kind(const uint8_t *bytes, uint64_t size)
{
    static const char convert[] = "a torch file of the format before PyTorch 1.6: convert it with "
                                  "torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\") in a newer PyTorch";
    static const struct {
        uint32_t offset, length;
        const char *magic, *what;
    } kinds[] = {
        {0, 12, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8", convert},
        {257, 5, "ustar", convert},
        {0, 2, "\x80\x02", "a bare pickle, not written by torch.save"},
        {0, 2, "\x80\x03", "a bare pickle, not written by torch.save"},
        {0, 2, "\x80\x04", "a bare pickle, not written by torch.save"},
        {0, 2, "\x80\x05", "a bare pickle, not written by torch.save"},
        {0, 4, "\x89PNG", "a PNG image"},
        {0, 3, "\xff\xd8\xff", "a JPEG image"},
        {0, 4, "GIF8", "a GIF image"},
        {0, 4, "RIFF", "a RIFF file (WebP, AVI or WAV)"},
        {4, 4, "ftyp", "an MP4, MOV or HEIF file"},
        {0, 4, "\x1a\x45\xdf\xa3", "a Matroska or WebM video"},
        {0, 4, "GGUF", "a GGUF file"},
        {0, 4, "\x89HDF", "an HDF5 file"},
        {0, 6, "\x93NUMPY", "a NumPy array"},
        {0, 2, "\x1f\x8b", "a gzip archive: unpack it first"},
        {0, 6, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"},
        {0, 4,
         "\x7f"
         "ELF",
         "a program"},
        {0, 4, "%PDF", "a PDF document"},
        {0, 23, "version https://git-lfs", "a Git LFS pointer: fetch the real file with \"git lfs pull\""},
        {0, 9, "<!DOCTYPE", "a web page: the download did not give the file itself"},
        {0, 9, "<!doctype", "a web page: the download did not give the file itself"},
        {0, 5, "<html", "a web page: the download did not give the file itself"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t end = (uint64_t)kinds[i].offset + kinds[i].length;
        if (size >= end && memcmp(bytes + kinds[i].offset, kinds[i].magic, kinds[i].length) == 0)
            return kinds[i].what;
    }
    return is_text(bytes, size) ? "a text file" : NULL;
}

/* A safetensors file starts with any eight bytes (a length) and '{'; a text with '{' there is none. */
static enum content content_of(const struct checkpoint *checkpoint)
{
    const uint8_t *bytes = checkpoint->bytes;
    const uint64_t size = checkpoint->size;
    if (size > 8 && bytes[8] == '{' && !is_text(bytes, 8))
        return CONTENT_SAFETENSORS;
    if (size >= 4 && memcmp(bytes, "PK", 2) == 0 && (bytes[2] == 3 || bytes[2] == 5))
        return CONTENT_ZIP;
    if (!foreign_kind(bytes, size) && checkpoint_ends_with(checkpoint->label, ".safetensors"))
        return CONTENT_SAFETENSORS; /* damaged: its reader says how */
    return CONTENT_FOREIGN;
}

/* ---- the list of tensors ----------------------------------------------------------------------- */

struct checkpoint_entry *checkpoint_add(struct checkpoint *checkpoint, const char *name, size_t length, const struct checkpoint_type *type,
                                        uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    if (checkpoint->count == checkpoint->capacity) {
        size_t capacity = checkpoint->capacity ? 2 * checkpoint->capacity : 256;
        struct checkpoint_entry *entries = realloc(checkpoint->entries, capacity * sizeof(*entries));
        if (checkpoint->count >= CHECKPOINT_MAX_TENSORS || !entries) {
            checkpoint->entries = entries ? entries : checkpoint->entries;
            checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "has too many tensors for the memory");
            return NULL;
        }
        checkpoint->entries = entries;
        checkpoint->capacity = capacity;
    }
    struct checkpoint_entry *entry = &checkpoint->entries[checkpoint->count];
    memset(entry, 0, sizeof(*entry));
    entry->stored_name = strndup(name, length);
    if (!entry->stored_name) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    checkpoint->count++;
    struct checkpoint_tensor *tensor = &entry->tensor;
    tensor->name = entry->stored_name;
    while (strncmp(tensor->name, "module.", 7) == 0 && tensor->name[7])
        tensor->name += 7; /* DataParallel wraps a network in a module */
    tensor->dtype = type->dtype;
    tensor->dtype_name = type->name;
    tensor->rank = rank;
    tensor->count = 1;
    entry->element_bytes = type->bytes;
    memcpy(tensor->shape, shape, rank * sizeof(*shape));
    uint64_t bytes;
    bool fits = true;
    for (uint32_t i = 0; i < rank; i++)
        fits = fits && checkpoint_multiply(tensor->count, shape[i], &tensor->count);
    if (!fits || !checkpoint_multiply(tensor->count, type->bytes, &bytes)) {
        struct names buffer;
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the shape %s of tensor \"%s\" is larger than any memory",
                        shape_text(&buffer, rank, shape), clean_name(&buffer, tensor->name));
        return NULL;
    }
    return entry;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct checkpoint_tensor *const *)a)->name, (*(const struct checkpoint_tensor *const *)b)->name);
}

/* Sorted, not hashed: a file made to collide cannot slow it down, and duplicates end up side by side. */
static bool sort_names(struct checkpoint *checkpoint, struct segman_error *error)
{
    struct names buffer;
    if (checkpoint->count == 0)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "holds no tensors");
    checkpoint->sorted = malloc(checkpoint->count * sizeof(const struct checkpoint_tensor *));
    if (!checkpoint->sorted)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < checkpoint->count; i++)
        checkpoint->sorted[i] = &checkpoint->entries[i].tensor;
    qsort(checkpoint->sorted, checkpoint->count, sizeof(const struct checkpoint_tensor *), by_name);
    for (size_t i = 1; i < checkpoint->count; i++) {
        const char *name = checkpoint->sorted[i]->name;
        if (strcmp(checkpoint->sorted[i - 1]->name, name) == 0)
            return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "names tensor \"%s\" twice", clean_name(&buffer, name));
    }
    return true;
}

/* ---- opening ----------------------------------------------------------------------------------- */

static bool read_content(struct checkpoint *checkpoint, struct segman_error *error)
{
    if (checkpoint->size == 0)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "is an empty file, not a checkpoint");
    switch (content_of(checkpoint)) {
    case CONTENT_SAFETENSORS:
        return safetensors_open(checkpoint, error) && sort_names(checkpoint, error);
    case CONTENT_ZIP:
        return pth_open(checkpoint, error) && sort_names(checkpoint, error);
    case CONTENT_FOREIGN:
        break;
    }
    const char *kind = foreign_kind(checkpoint->bytes, checkpoint->size);
    if (kind)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "is not a checkpoint (.safetensors or .pth) but %s", kind);
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "is neither a .safetensors nor a .pth file");
}

static struct checkpoint *checkpoint_create(const char *label, struct segman_error *error)
{
    struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    if (checkpoint)
        checkpoint_clean(checkpoint->label, sizeof(checkpoint->label), label, strlen(label));
    else
        segman_fail(error, SEGMAN_ERROR_MEMORY, "out of memory");
    return checkpoint;
}

struct checkpoint *checkpoint_open_bytes(const uint8_t *bytes, uint64_t size, const char *label, struct segman_error *error)
{
    struct checkpoint *checkpoint = checkpoint_create(label, error);
    if (!checkpoint)
        return NULL;
    checkpoint->bytes = bytes;
    checkpoint->size = size;
    if (!read_content(checkpoint, error)) {
        checkpoint_destroy(checkpoint);
        return NULL;
    }
    return checkpoint;
}

static bool map_file(struct checkpoint *checkpoint, const char *path, struct segman_error *error)
{
    int fd = file_open(path, checkpoint->label, &checkpoint->size, error);
    void *map = NULL;
    if (fd < 0)
        return false;
    if (checkpoint->size > 0)
        map = mmap(NULL, checkpoint->size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_IO, "cannot be mapped into memory: %s", strerror(errno));
    checkpoint->bytes = map;
    checkpoint->mapped = map != NULL;
    return true;
}

struct checkpoint *checkpoint_open(const char *path, struct segman_error *error)
{
    struct checkpoint *checkpoint = checkpoint_create(path, error);
    if (!checkpoint)
        return NULL;
    if (strncmp(path, "synthetic:", 10) == 0) {
        if (!synthetic_open(checkpoint, path, error))
            goto fail;
        return checkpoint;
    }
    if (!map_file(checkpoint, path, error) || !read_content(checkpoint, error))
        goto fail;
    return checkpoint;
fail:
    checkpoint_destroy(checkpoint);
    return NULL;
}

void checkpoint_destroy(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    pth_close(checkpoint->pth);
    for (size_t i = 0; i < checkpoint->count; i++)
        free(checkpoint->entries[i].stored_name);
    free(checkpoint->entries);
    free(checkpoint->sorted);
    segman_dataset_destroy(checkpoint->dataset);
    json_decref(checkpoint->metadata);
    if (checkpoint->mapped)
        munmap((void *)(uintptr_t)checkpoint->bytes, checkpoint->size);
    free(checkpoint);
}

/* ---- looking up and reading ---------------------------------------------------------------------- */

bool checkpoint_is_synthetic(const struct checkpoint *checkpoint)
{
    return checkpoint->synthetic;
}

const char *checkpoint_synthetic_variant(const struct checkpoint *checkpoint, uint32_t *classes)
{
    if (!checkpoint->synthetic)
        return NULL;
    if (classes)
        *classes = checkpoint->classes;
    return checkpoint->variant;
}

size_t checkpoint_count(const struct checkpoint *checkpoint)
{
    return checkpoint->count;
}

const struct checkpoint_tensor *checkpoint_at(const struct checkpoint *checkpoint, size_t i)
{
    return i < checkpoint->count ? &checkpoint->entries[i].tensor : NULL;
}

const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    size_t low = 0, high = checkpoint->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, checkpoint->sorted[middle]->name);
        if (order == 0)
            return checkpoint->sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool checkpoint_expect(const struct checkpoint *checkpoint, const char *name, uint32_t rank, const uint64_t *shape,
                       struct segman_error *error)
{
    struct names found, expected;
    if (checkpoint->synthetic)
        return true;
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, name);
    if (!tensor)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "tensor \"%s\" is missing: expected with shape %s",
                               clean_name(&expected, name), shape_text(&expected, rank, shape));
    bool same = tensor->rank == rank;
    for (uint32_t i = 0; same && i < rank; i++)
        same = tensor->shape[i] == shape[i];
    if (same)
        return true;
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "tensor \"%s\" has the shape %s, expected %s",
                           clean_name(&expected, name), shape_text(&found, tensor->rank, tensor->shape),
                           shape_text(&expected, rank, shape));
}

bool checkpoint_read(const struct checkpoint *checkpoint, const char *name, uint32_t rank, const uint64_t *shape, float *out,
                     struct segman_error *error)
{
    struct names buffer;
    if (!checkpoint_expect(checkpoint, name, rank, shape, error))
        return false;
    if (checkpoint->synthetic) {
        procedural_value(name, rank, shape, out);
        return true;
    }
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, name);
    const struct checkpoint_entry *entry = (const struct checkpoint_entry *)(const void *)tensor; /* its first member */
    if (tensor->dtype == CHECKPOINT_OTHER)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                               "tensor \"%s\" is made of %s, expected numbers of type F32, F16, BF16 or F64", clean_name(&buffer, name),
                               tensor->dtype_name);
    if (checkpoint->pth)
        return pth_read(checkpoint, entry, out, error);
    uint64_t done = checkpoint_convert(tensor->dtype, checkpoint->data + entry->offset, tensor->count, out);
    return done == tensor->count || checkpoint_fail_value(checkpoint, tensor, done, error);
}

const void *checkpoint_raw(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor)
{
    const struct checkpoint_entry *entry = (const struct checkpoint_entry *)(const void *)tensor; /* its first member */
    return checkpoint->data ? checkpoint->data + entry->offset : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool checkpoint_expect_only(const struct checkpoint *checkpoint, const char *const *names, size_t n, struct segman_error *error)
{
    struct names buffer;
    size_t extra = 0;
    const struct checkpoint_tensor *first = NULL;
    const char **sorted = malloc((n + 1) * sizeof(*sorted));
    if (!sorted)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        sorted[i] = names[i];
    qsort(sorted, n, sizeof(*sorted), by_text);
    for (size_t i = 0; i < checkpoint->count; i++) {
        const struct checkpoint_tensor *tensor = &checkpoint->entries[i].tensor;
        if (checkpoint_name_ignored(tensor->name) || bsearch(&tensor->name, sorted, n, sizeof(*sorted), by_text))
            continue;
        first = first ? first : tensor;
        extra++;
    }
    free(sorted);
    if (!first)
        return true;
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                           "tensor \"%s\" (%s) is not part of the expected network; %zu such tensors were found",
                           clean_name(&buffer, first->name), shape_text(&buffer, first->rank, first->shape), extra);
}

const struct segman_dataset *checkpoint_dataset(const struct checkpoint *checkpoint)
{
    return checkpoint->dataset;
}

const char *checkpoint_metadata(const struct checkpoint *checkpoint, const char *key)
{
    return json_string_value(json_object_get(checkpoint->metadata, key));
}

bool checkpoint_name_ignored(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strcmp(dot ? dot + 1 : name, "num_batches_tracked") == 0 || strcmp(name, "rope.angle") == 0 ||
           checkpoint_ends_with(name, ".rope.angle");
}
