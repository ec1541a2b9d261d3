/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container of torch.save since PyTorch 1.6: a zip archive with one pickle, NAME/data.pkl, and
 * one entry for each storage, NAME/data/KEY. Opening parses the pickle and compares every storage's
 * size with the archive's directory; tensors are read only when they are asked for.
 */
#include "checkpoint_internal.h"
#include "dataset.h"
#include "pth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define PTH_MAX_PICKLE (32u << 20)
/* Deflate shrinks at most 1032 times: a larger promise is a lie. */
#define PTH_MAX_RATIO 1040
/* torch.save compresses nothing, so that only repacked archives are held to this. */
#define PTH_MAX_COMPRESSED (1u << 30)
#define PTH_CHUNK          65536

struct pth {
    zip_t *zip;
    pthread_mutex_t lock; /* libzip's archives belong to one thread at a time */
    char prefix[256];     /* "NAME/", or "" */
};

void pth_close(struct pth *pth)
{
    if (!pth)
        return;
    if (pth->zip)
        zip_discard(pth->zip);
    pthread_mutex_destroy(&pth->lock);
    free(pth);
}

static bool open_archive(struct checkpoint *checkpoint, struct segman_error *error)
{
    zip_error_t why;
    struct pth *pth = calloc(1, sizeof(*pth));
    if (!pth || pthread_mutex_init(&pth->lock, NULL) != 0) {
        free(pth);
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "out of memory");
    }
    checkpoint->pth = pth;
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(checkpoint->bytes, checkpoint->size, 0, &why);
    pth->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
    if (!pth->zip) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "is a truncated or damaged .pth (zip) file: %s", zip_error_strerror(&why));
        zip_source_free(source);
    }
    zip_error_fini(&why);
    return pth->zip != NULL;
}

/* Finds the one entry NAME/data.pkl and notes "NAME/". */
static bool find_pickle(const struct checkpoint *checkpoint, uint64_t *index, struct segman_error *error)
{
    struct pth *pth = checkpoint->pth;
    const zip_int64_t entries = zip_get_num_entries(pth->zip, 0);
    unsigned found = 0;
    bool script = false;
    for (zip_int64_t i = 0; i < entries; i++) {
        const char *name = zip_get_name(pth->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        const char *file = name ? strrchr(name, '/') : NULL;
        file = file ? file + 1 : name;
        if (!name)
            continue;
        script |= strcmp(file, "constants.pkl") == 0;
        if (strcmp(file, "data.pkl") != 0 || (size_t)(file - name) >= sizeof(pth->prefix))
            continue;
        memcpy(pth->prefix, name, (size_t)(file - name));
        pth->prefix[file - name] = 0;
        *index = (uint64_t)i;
        found++;
    }
    if (script)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "is a TorchScript program, not a checkpoint of torch.save");
    if (found != 1)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                               "is a zip archive with %u entries data.pkl, expected one: not written by torch.save", found);
    return true;
}

/* What the directory says about an entry, as far as it can be believed. */
static bool stat_entry(const struct checkpoint *checkpoint, uint64_t index, zip_stat_t *st, struct segman_error *error)
{
    const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    char name[128];
    if (zip_stat_index(checkpoint->pth->zip, index, 0, st) < 0 || (st->valid & needed) != needed)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "entry %llu of the archive is damaged", (unsigned long long)index);
    checkpoint_clean(name, sizeof(name), st->name, strlen(st->name));
    if (st->encryption_method != ZIP_EM_NONE)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "entry %s of the archive is encrypted", name);
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "entry %s of the archive is compressed by the unknown method %u",
                               name, st->comp_method);
    bool stored = st->comp_method == ZIP_CM_STORE;
    if (st->comp_size > checkpoint->size || (stored && st->size != st->comp_size) ||
        (!stored && (st->size > PTH_MAX_COMPRESSED || st->size / PTH_MAX_RATIO > st->comp_size)))
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                               "entry %s of the archive claims to unpack %llu bytes to %llu: damaged", name,
                               (unsigned long long)st->comp_size, (unsigned long long)st->size);
    return true;
}

/* ---- reading entries --------------------------------------------------------------------------------- */

static bool fail_entry(const struct checkpoint *checkpoint, const char *name, zip_file_t *file, struct segman_error *error)
{
    char text[160];
    zip_error_t *why = file ? zip_file_get_error(file) : zip_get_error(checkpoint->pth->zip);
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "\"%s\" cannot be unpacked: truncated or damaged (%s)",
                           checkpoint_clean(text, sizeof(text), name, strlen(name)), zip_error_strerror(why));
}

/* Exactly n bytes. */
static bool read_bytes(zip_file_t *file, uint8_t *to, uint64_t n)
{
    while (n > 0) {
        zip_int64_t got = zip_fread(file, to, n);
        if (got <= 0)
            return false;
        to += got;
        n -= (uint64_t)got;
    }
    return true;
}

/* Stored entries can seek; of compressed ones the bytes before are unpacked and dropped. */
static bool skip_bytes(zip_file_t *file, const zip_stat_t *st, uint64_t n)
{
    uint8_t dropped[4096];
    if (n > 0 && st->comp_method == ZIP_CM_STORE)
        return n <= INT64_MAX && zip_fseek(file, (zip_int64_t)n, SEEK_SET) == 0;
    for (; n > sizeof(dropped); n -= sizeof(dropped)) {
        if (!read_bytes(file, dropped, sizeof(dropped)))
            return false;
    }
    return read_bytes(file, dropped, n);
}

/* Nothing may follow; asking for it is also what makes libzip compare the checksum. */
static bool at_end(zip_file_t *file)
{
    uint8_t byte;
    return zip_fread(file, &byte, 1) == 0;
}

static uint8_t *read_pickle(const struct checkpoint *checkpoint, uint64_t index, uint64_t *size, struct segman_error *error)
{
    uint8_t *bytes = NULL;
    zip_file_t *file = NULL;
    bool ok = false;
    zip_stat_t st;
    if (!stat_entry(checkpoint, index, &st, error))
        return NULL;
    *size = st.size;
    if (*size > PTH_MAX_PICKLE) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "its pickle has %llu bytes; at most %u are read", (unsigned long long)*size,
                        PTH_MAX_PICKLE);
        return NULL;
    }
    bytes = malloc(*size + 1);
    file = zip_fopen_index(checkpoint->pth->zip, index, 0);
    if (!bytes)
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "out of memory");
    else if (!file || !read_bytes(file, bytes, *size) || !at_end(file))
        fail_entry(checkpoint, "data.pkl", file, error);
    else
        ok = true;
    if (file)
        zip_fclose(file);
    if (!ok) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

/* Newer files say which byte order they have; older ones are little-endian. */
static bool check_byte_order(const struct checkpoint *checkpoint, struct segman_error *error)
{
    char name[300], text[4] = {0};
    snprintf(name, sizeof(name), "%sbyteorder", checkpoint->pth->prefix);
    zip_file_t *file = zip_fopen(checkpoint->pth->zip, name, 0);
    if (!file)
        return true;
    bool big = zip_fread(file, text, 3) == 3 && strcmp(text, "big") == 0;
    zip_fclose(file);
    return !big ||
           checkpoint_fail(checkpoint, error, SEGMAN_ERROR_UNSUPPORTED, "was written on a big-endian machine; save it again on another");
}

/* ---- the list of tensors -------------------------------------------------------------------------------- */

bool pth_add(struct checkpoint *checkpoint, const struct pickle_value *key, const struct pickle_tensor *tensor, struct segman_error *error)
{
    char entry_name[512], name[160];
    uint64_t needed;
    zip_stat_t st;
    const struct pickle_value *storage = tensor->storage;
    struct checkpoint_entry *entry =
        checkpoint_add(checkpoint, key->text.bytes, key->text.length, storage->storage.type, tensor->rank, tensor->shape, error);
    if (!entry)
        return false;
    checkpoint_clean(name, sizeof(name), key->text.bytes, key->text.length);
    memcpy(entry->strides, tensor->strides, sizeof(entry->strides));
    entry->offset = tensor->offset;
    if (storage->storage.key_length > 200 || memchr(storage->storage.key, 0, storage->storage.key_length))
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the storage of tensor \"%s\" has an absurd name", name);
    snprintf(entry_name, sizeof(entry_name), "%sdata/%.*s", checkpoint->pth->prefix, (int)storage->storage.key_length,
             storage->storage.key);
    zip_int64_t index = zip_name_locate(checkpoint->pth->zip, entry_name, 0);
    if (index < 0)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "the data of tensor \"%s\" is missing from the archive", name);
    entry->storage = (uint64_t)index;
    if (!stat_entry(checkpoint, entry->storage, &st, error))
        return false;
    if (!checkpoint_multiply(storage->storage.count, storage->storage.type->bytes, &needed) || needed != st.size)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT,
                               "the data of tensor \"%s\" has %llu bytes in the archive, but %llu values of type %s are promised", name,
                               (unsigned long long)st.size, (unsigned long long)storage->storage.count, storage->storage.type->name);
    return true;
}

bool pth_open(struct checkpoint *checkpoint, struct segman_error *error)
{
    uint64_t index = 0, size = 0;
    uint8_t *bytes = NULL;
    struct pickle *pickle = NULL;
    char why[400];
    bool ok = false;
    if (!open_archive(checkpoint, error) || !find_pickle(checkpoint, &index, error) || !check_byte_order(checkpoint, error))
        goto done;
    bytes = read_pickle(checkpoint, index, &size, error);
    if (!bytes)
        goto done;
    pickle = pickle_parse(bytes, size, why, sizeof(why));
    if (!pickle) {
        checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "its pickle cannot be read: %s", why);
        goto done;
    }
    ok = mmseg_take(checkpoint, pickle_root(pickle), error);
done:
    pickle_destroy(pickle);
    free(bytes);
    return ok;
}

/* ---- reading tensors -------------------------------------------------------------------------------------- */

static bool is_contiguous(const struct checkpoint_entry *entry)
{
    uint64_t expected = 1;
    for (uint32_t i = entry->tensor.rank; i-- > 0;) {
        if (entry->tensor.shape[i] != 1 && entry->strides[i] != expected)
            return false;
        expected *= entry->tensor.shape[i];
    }
    return true;
}

/* Elements from the first to the last that the tensor has; checked against the storage when it was listed. */
static uint64_t span_of(const struct checkpoint_entry *entry)
{
    uint64_t span = 1;
    for (uint32_t i = 0; i < entry->tensor.rank; i++)
        span += (entry->tensor.shape[i] - 1) * entry->strides[i];
    return span;
}

/* *bad becomes the index of the first value that is not finite; false where the entry cannot be read. */
static bool read_contiguous(const struct checkpoint_entry *entry, zip_file_t *file, float *out, uint64_t *bad)
{
    uint8_t chunk[PTH_CHUNK];
    const uint64_t count = entry->tensor.count, per_chunk = PTH_CHUNK / entry->element_bytes;
    for (uint64_t i = 0; i < count && *bad == count; i += per_chunk) {
        uint64_t n = count - i < per_chunk ? count - i : per_chunk;
        if (!read_bytes(file, chunk, n * entry->element_bytes))
            return false;
        uint64_t done = checkpoint_convert(entry->tensor.dtype, chunk, n, out + i);
        if (done < n)
            *bad = i + done;
    }
    return true;
}

/* A transposed or sliced tensor: its span is read as a whole and gathered in row-major order. */
static bool read_strided(const struct checkpoint_entry *entry, zip_file_t *file, float *out, uint64_t *bad)
{
    const struct checkpoint_tensor *tensor = &entry->tensor;
    const uint64_t bytes = span_of(entry) * entry->element_bytes;
    uint64_t position[CHECKPOINT_MAX_RANK] = {0}, at = 0;
    uint8_t *span = malloc(bytes);
    bool ok = span && read_bytes(file, span, bytes);
    for (uint64_t i = 0; ok && i < tensor->count && *bad == tensor->count; i++) {
        if (checkpoint_convert(tensor->dtype, span + at * entry->element_bytes, 1, out + i) == 0)
            *bad = i;
        for (uint32_t d = tensor->rank; d-- > 0;) {
            at += entry->strides[d];
            if (++position[d] < tensor->shape[d])
                break;
            at -= entry->strides[d] * tensor->shape[d];
            position[d] = 0;
        }
    }
    free(span);
    return ok;
}

bool pth_read(const struct checkpoint *checkpoint, const struct checkpoint_entry *entry, float *out, struct segman_error *error)
{
    const struct checkpoint_tensor *tensor = &entry->tensor;
    uint64_t bad = tensor->count;
    zip_stat_t st;
    bool ok = false;
    if (tensor->count == 0)
        return true;
    pthread_mutex_lock(&checkpoint->pth->lock);
    zip_file_t *file = zip_fopen_index(checkpoint->pth->zip, entry->storage, 0);
    if (file && zip_stat_index(checkpoint->pth->zip, entry->storage, 0, &st) == 0)
        ok = skip_bytes(file, &st, entry->offset * entry->element_bytes);
    ok = ok && (is_contiguous(entry) ? read_contiguous : read_strided)(entry, file, out, &bad);
    if (ok && bad == tensor->count && (entry->offset + span_of(entry)) * entry->element_bytes == st.size)
        ok = at_end(file);
    if (!ok)
        fail_entry(checkpoint, tensor->name, file, error);
    if (file)
        zip_fclose(file);
    pthread_mutex_unlock(&checkpoint->pth->lock);
    if (ok && bad < tensor->count)
        return checkpoint_fail_value(checkpoint, tensor, bad, error);
    return ok;
}
