/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <dirent.h>
#include <unistd.h>

static char folder[64];
static const char *data_folder = ".";

/* ---- bytes ----------------------------------------------------------------------------------- */

void put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data)
            abort();
    }
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void put_text(struct bytes *bytes, const char *text)
{
    put(bytes, text, strlen(text));
}

void put_number(struct bytes *bytes, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(number >> 8 * i);
        put(bytes, &byte, 1);
    }
}

void bytes_clear(struct bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}

/* ---- files ------------------------------------------------------------------------------------- */

const char *temp_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

const char *data_path(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof(path), "%s/%s", data_folder, name);
    return path;
}

const char *write_file(const char *name, const void *data, size_t size)
{
    const char *path = temp_path(name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
    return path;
}

void build_safetensors(struct bytes *out, const char *header, size_t data_size)
{
    put_number(out, strlen(header), 8);
    put_text(out, header);
    for (size_t i = 0; i < data_size; i++)
        put_number(out, 0, 1);
}

static uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* What local and central headers have in common. */
static void put_zip_fields(struct bytes *out, const struct zip_item *item)
{
    put_number(out, 20, 2); /* version needed */
    put_number(out, item->flags, 2);
    put_number(out, item->method, 2);
    put_number(out, 0x00210000, 4); /* time and date */
    put_number(out, crc32_of(item->data, item->size), 4);
    put_number(out, item->size, 4);
    put_number(out, item->claimed ? item->claimed : item->size, 4);
    put_number(out, strlen(item->name), 2);
    put_number(out, 0, 2); /* extra field */
}

void build_zip(struct bytes *out, const struct zip_item *items, size_t n)
{
    size_t offsets[64];
    for (size_t i = 0; i < n; i++) {
        offsets[i] = out->size;
        put(out, "PK\3\4", 4);
        put_zip_fields(out, &items[i]);
        put_text(out, items[i].name);
        put(out, items[i].data, items[i].size);
    }
    size_t directory = out->size;
    for (size_t i = 0; i < n; i++) {
        put(out, "PK\1\2", 4);
        put_number(out, 20, 2);
        put_zip_fields(out, &items[i]);
        put_number(out, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
        put_number(out, 0, 4);
        put_number(out, offsets[i], 4);
        put_text(out, items[i].name);
    }
    size_t size = out->size - directory;
    put(out, "PK\5\6", 4);
    put_number(out, 0, 4);
    put_number(out, n, 2);
    put_number(out, n, 2);
    put_number(out, size, 4);
    put_number(out, directory, 4);
    put_number(out, 0, 2);
}

void build_pth(struct bytes *out, const struct bytes *pickle, size_t storage_size)
{
    float values[64] = {0};
    for (int i = 0; i < 64; i++)
        values[i] = (float)(i + 1);
    const struct zip_item items[] = {
        {"x/data.pkl", pickle->data, pickle->size, 0, 0, 0}, {"x/data/0", values, storage_size, 0, 0, 0}, {"x/version", "3\n", 2, 0, 0, 0}};
    build_zip(out, items, 3);
}

/* ---- pickles --------------------------------------------------------------------------------------- */

void pickle_text(struct bytes *out, const char *text)
{
    put_text(out, "X");
    put_number(out, strlen(text), 4);
    put_text(out, text);
}

void pickle_int(struct bytes *out, int32_t value)
{
    put_text(out, "J");
    put_number(out, (uint32_t)value, 4);
}

void pickle_named(struct bytes *out, const char *module, const char *name)
{
    put_text(out, "c");
    put_text(out, module);
    put_text(out, "\n");
    put_text(out, name);
    put_text(out, "\n");
}

void pickle_tensor1(struct bytes *out, const char *type, const char *key, int32_t elements, int32_t offset, int32_t size, int32_t stride)
{
    pickle_named(out, "torch._utils", "_rebuild_tensor_v2");
    put_text(out, "((");
    pickle_text(out, "storage");
    pickle_named(out, "torch", type);
    pickle_text(out, key);
    pickle_text(out, "cpu");
    pickle_int(out, elements);
    put_text(out, "tQ");
    pickle_int(out, offset);
    pickle_int(out, size);
    put_text(out, "\x85");
    pickle_int(out, stride);
    put_text(out, "\x85\x89"); /* requires_grad: False */
    pickle_named(out, "collections", "OrderedDict");
    put_text(out, ")RtR");
}

void pickle_simple(struct bytes *out)
{
    put_text(out, "\x80\x02}");
    pickle_text(out, "state_dict");
    put_text(out, "}");
    pickle_text(out, "w");
    pickle_tensor1(out, "FloatStorage", "0", 4, 0, 4, 1);
    put_text(out, "ss.");
}

/* ---- checks -------------------------------------------------------------------------------------------- */

void check_message(const struct segman_error *error, const char *words)
{
    char list[512], *rest = list;
    snprintf(list, sizeof(list), "%s", words);
    for (char *word = strtok_r(list, "|", &rest); word; word = strtok_r(NULL, "|", &rest)) {
        bool found = strstr(error->message, word) != NULL;
        CU_ASSERT(found);
        if (!found)
            printf("\n    expected \"%s\" in: %s\n", word, error->message);
    }
    CU_ASSERT(strchr(error->message, '\n') == NULL);
    if (getenv("SHOW_MESSAGES"))
        printf("\n    %s", error->message);
}

void check_refused(const char *path, const char *words)
{
    struct segman_error error = {0};
    struct checkpoint *checkpoint = checkpoint_open(path, &error);
    CU_ASSERT_PTR_NULL(checkpoint);
    if (checkpoint)
        printf("\n    opened, though expected: %s\n", words);
    else
        check_message(&error, words);
    checkpoint_destroy(checkpoint);
}

void check_refused_bytes(const char *name, const struct bytes *bytes, const char *words)
{
    check_refused(write_file(name, bytes->data, bytes->size), words);
}

struct checkpoint *check_opens(const char *path)
{
    struct segman_error error = {0};
    struct checkpoint *checkpoint = checkpoint_open(path, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(checkpoint);
    if (!checkpoint)
        printf("\n    %s\n", error.message);
    return checkpoint;
}

void check_values(const struct checkpoint *checkpoint, const char *name, size_t n, const float *expected)
{
    struct segman_error error = {0};
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, name);
    CU_ASSERT_PTR_NOT_NULL(tensor);
    if (!tensor)
        return;
    CU_ASSERT_EQUAL(tensor->count, n);
    float *values = calloc(tensor->count + 1, sizeof(*values));
    bool ok = checkpoint_read(checkpoint, name, tensor->rank, tensor->shape, values, &error);
    CU_ASSERT(ok);
    if (!ok)
        printf("\n    %s\n", error.message);
    CU_ASSERT(tensor->count == n && memcmp(values, expected, n * sizeof(*values)) == 0);
    free(values);
}

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            remove(temp_path(entry->d_name));
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

int run_tests(const char *suite, const struct test *tests, size_t n, const char *data)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%.40s/segman-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
    data_folder = data ? data : ".";
    if (!mkdtemp(folder) || CU_initialize_registry() != CUE_SUCCESS)
        return 99;
    CU_pSuite cu = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        CU_add_test(cu, tests[i].name, tests[i].run);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode code = CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    remove_folder();
    return code != CUE_SUCCESS || failures ? 1 : 0;
}
