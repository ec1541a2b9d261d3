/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deterministic fuzzer: small valid files of both kinds, damaged by bit flips, overwritten numbers,
 * splices and cuts, are opened and every tensor of those that open is read. Nothing is asserted but
 * that a failure has a message: the sanitizers are the judges.
 */
#include "support.h"

#include <zip.h>

#include "../fuzz/exercise.h"

struct random {
    uint64_t state;
};

static uint64_t next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(struct random *random, size_t n)
{
    return n ? (size_t)(next(random) % n) : 0;
}

static void mutate_once(struct random *random, struct bytes *file, const struct bytes *other)
{
    static const uint64_t numbers[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
    if (file->size == 0)
        return;
    size_t at = below(random, file->size), n = 1 + below(random, 16);
    switch (below(random, 7)) {
    case 0:
        file->data[at] ^= (uint8_t)(1u << below(random, 8));
        break;
    case 1:
        file->data[at] = (uint8_t)next(random);
        break;
    case 2: { /* a number of 1, 2, 4 or 8 bytes */
        size_t size = (size_t)1 << below(random, 4);
        uint64_t number = numbers[below(random, sizeof(numbers) / sizeof(numbers[0]))];
        memcpy(file->data + at, &number, file->size - at < size ? file->size - at : size);
        break;
    }
    case 3: /* cut the end off */
        file->size = at;
        break;
    case 4: /* take a piece out */
        n = file->size - at < n ? file->size - at : n;
        memmove(file->data + at, file->data + at + n, file->size - at - n);
        file->size -= n;
        break;
    case 5: { /* a piece of another file */
        size_t from = below(random, other->size);
        n = other->size - from < n ? other->size - from : n;
        n = file->size - at < n ? file->size - at : n;
        memcpy(file->data + at, other->data + from, n);
        break;
    }
    default: { /* a digit: JSON's numbers and pickled texts */
        for (size_t i = at; i < file->size && i < at + 64; i++) {
            if (file->data[i] >= '0' && file->data[i] <= '9') {
                file->data[i] = (uint8_t)('0' + below(random, 10));
                break;
            }
        }
    }
    }
}

static void load(struct bytes *file, const char *name)
{
    char piece[4096];
    FILE *in = fopen(data_path(name), "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    for (size_t n; (n = fread(piece, 1, sizeof(piece), in)) > 0;)
        put(file, piece, n);
    fclose(in);
}

static void build_seeds(struct bytes seeds[5])
{
    struct bytes pickle = {0};
    load(&seeds[0], "shapes.pth");
    load(&seeds[1], "mmcv.pth");
    load(&seeds[2], "mmengine.pth");
    build_safetensors(&seeds[3],
                      "{\"__metadata__\":{\"segman.classes\":\"[\\\"a\\\",\\\"b\\\"]\",\"segman.palette\":\"[[1,2,3],[4,5,6]]\"},"
                      "\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                      "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[16,24]},"
                      "\"c\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[24,32]}}",
                      32);
    pickle_simple(&pickle);
    build_pth(&seeds[4], &pickle, 16);
    bytes_clear(&pickle);
}

/* Mutates whole files. */
static void test_files(void)
{
    struct bytes seeds[5] = {0};
    struct random random = {1};
    size_t opened = 0;
    build_seeds(seeds);
    for (size_t i = 0; i < 6000; i++) {
        struct bytes file = {0};
        const struct bytes *seed = &seeds[i % 5];
        put(&file, seed->data, seed->size);
        for (size_t k = 1 + below(&random, 4); k > 0; k--)
            mutate_once(&random, &file, &seeds[below(&random, 5)]);
        opened += exercise_checkpoint(file.data, file.size);
        bytes_clear(&file);
    }
    printf("(%zu of 6000 opened) ", opened);
    CU_ASSERT(opened > 100);
    for (size_t i = 0; i < 5; i++)
        bytes_clear(&seeds[i]);
}

struct archive {
    struct zip_item items[32];
    size_t n, pickle; /* which entry is data.pkl */
};

static void load_archive(struct archive *archive, const char *name)
{
    zip_t *zip = zip_open(data_path(name), ZIP_RDONLY, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
    archive->n = (size_t)zip_get_num_entries(zip, 0);
    CU_ASSERT_FATAL(archive->n <= 32);
    for (size_t i = 0; i < archive->n; i++) {
        zip_stat_t st;
        zip_stat_index(zip, i, 0, &st);
        uint8_t *data = malloc(st.size + 1);
        zip_file_t *file = zip_fopen_index(zip, i, 0);
        CU_ASSERT_EQUAL(zip_fread(file, data, st.size), (zip_int64_t)st.size);
        zip_fclose(file);
        archive->items[i] = (struct zip_item){.name = strdup(st.name), .data = data, .size = st.size};
        if (strstr(st.name, "/data.pkl"))
            archive->pickle = i;
    }
    zip_discard(zip);
}

static void archive_clear(struct archive *archive)
{
    for (size_t i = 0; i < archive->n; i++) {
        free((void *)(uintptr_t)archive->items[i].name);
        free((void *)(uintptr_t)archive->items[i].data);
    }
}

/* Mutates pickles inside sound archives: else the checksum hides most of the machine. */
static void test_pickles(void)
{
    static const char names[3][16] = {"mmcv.pth", "mmengine.pth", "shapes.pth"};
    struct archive archives[3] = {0};
    struct bytes other = {0};
    struct random random = {2};
    size_t opened = 0;
    put_text(&other, "cos\nsystem\n}](tuR\x85\x86\x87Qbh\1q\1r\xff\xff\xff\x7fj\3X\xff\xff\xff\xff\x8a\x08.");
    for (size_t i = 0; i < 3; i++)
        load_archive(&archives[i], names[i]);
    for (size_t i = 0; i < 12000; i++) {
        struct bytes pickle = {0}, file = {0};
        struct archive archive = archives[i % 3];
        struct zip_item *item = &archive.items[archive.pickle];
        put(&pickle, item->data, item->size);
        for (size_t k = 1 + below(&random, 3); k > 0; k--)
            mutate_once(&random, &pickle, &other);
        item->data = pickle.data;
        item->size = pickle.size;
        build_zip(&file, archive.items, archive.n);
        opened += exercise_checkpoint(file.data, file.size);
        bytes_clear(&file);
        bytes_clear(&pickle);
    }
    printf("(%zu of 12000 opened) ", opened);
    CU_ASSERT(opened > 100);
    for (size_t i = 0; i < 3; i++)
        archive_clear(&archives[i]);
    bytes_clear(&other);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {{"damaged files", test_files}, {"damaged pickles", test_pickles}};
    return run_tests("mutate", tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}
