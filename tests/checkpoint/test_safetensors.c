/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <math.h>
#include <sys/stat.h>

static void refused(const char *header, size_t data_size, const char *words)
{
    struct bytes file = {0};
    build_safetensors(&file, header, data_size);
    check_refused_bytes("bad.safetensors", &file, words);
    bytes_clear(&file);
}

static const char good_header[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                  "\"module.f32\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                                  "\"f16\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[17,27]},"
                                  "\"byte\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[16,17]},"
                                  "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[1,1,1,1,1,1,1,3],\"data_offsets\":[27,33]},"
                                  "\"f64\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[33,41]},"
                                  "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[41,41]}}   ";

static void build_good(struct bytes *file)
{
    static const float f32[4] = {1, -2, 0.5f, 3e38f};
    static const uint16_t f16[5] = {0x3c00, 0x0001, 0x83ff, 0x7bff, 0x8000}, bf16[3] = {0x3f80, 0xc000, 0x0001};
    static const double f64 = 0.1;
    build_safetensors(file, good_header, 0);
    put(file, f32, sizeof(f32));
    put_number(file, 7, 1);
    put(file, f16, sizeof(f16));
    put(file, bf16, sizeof(bf16));
    put(file, &f64, sizeof(f64));
}

static void test_values(void)
{
    struct bytes file = {0};
    build_good(&file);
    struct checkpoint *checkpoint = check_opens(write_file("good", file.data, file.size));
    CU_ASSERT_EQUAL(checkpoint_count(checkpoint), 6);
    CU_ASSERT_STRING_EQUAL(checkpoint_at(checkpoint, 0)->name, "f32");
    CU_ASSERT_STRING_EQUAL(checkpoint_at(checkpoint, 2)->name, "byte");
    CU_ASSERT_STRING_EQUAL(checkpoint_at(checkpoint, 2)->dtype_name, "U8");
    CU_ASSERT_PTR_NULL(checkpoint_at(checkpoint, 6));
    CU_ASSERT_PTR_NULL(checkpoint_find(checkpoint, "module.f32"));
    CU_ASSERT_EQUAL(checkpoint_find(checkpoint, "bf16")->rank, 8);
    CU_ASSERT_FALSE(checkpoint_is_synthetic(checkpoint));
    CU_ASSERT_PTR_NULL(checkpoint_synthetic_variant(checkpoint, NULL));
    CU_ASSERT_PTR_NULL(checkpoint_dataset(checkpoint));
    CU_ASSERT_STRING_EQUAL(checkpoint_metadata(checkpoint, "format"), "pt");
    CU_ASSERT_PTR_NULL(checkpoint_metadata(checkpoint, "other"));
    CU_ASSERT_EQUAL(*(const uint8_t *)checkpoint_raw(checkpoint, checkpoint_find(checkpoint, "byte")), 7);
    check_values(checkpoint, "f32", 4, (const float[]){1, -2, 0.5f, 3e38f});
    check_values(checkpoint, "f16", 5, (const float[]){1, 0x1p-24f, -0x1.ff8p-15f, 65504, -0.0f});
    check_values(checkpoint, "bf16", 3, (const float[]){1, -2, 0x1p-133f});
    check_values(checkpoint, "f64", 1, (const float[]){0.1f});
    check_values(checkpoint, "none", 0, (const float[]){0});
    checkpoint_destroy(checkpoint);
    bytes_clear(&file);
}

static void test_expectations(void)
{
    struct bytes file = {0};
    struct segman_error error;
    float out[8];
    build_good(&file);
    struct checkpoint *checkpoint = check_opens(write_file("good", file.data, file.size));
    const uint64_t two[2] = {2, 2}, wrong[2] = {2, 3}, one[1] = {1};
    CU_ASSERT(checkpoint_expect(checkpoint, "f32", 2, two, &error));
    CU_ASSERT_FALSE(checkpoint_expect(checkpoint, "f33", 2, two, &error));
    check_message(&error, "good: |f33|missing|2x2");
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_FORMAT);
    CU_ASSERT_FALSE(checkpoint_expect(checkpoint, "f32", 2, wrong, &error));
    check_message(&error, "good: |f32|2x2|expected 2x3");
    CU_ASSERT_FALSE(checkpoint_expect(checkpoint, "f64", 1, one, &error));
    check_message(&error, "f64|scalar|expected 1");
    CU_ASSERT_FALSE(checkpoint_read(checkpoint, "f33", 2, two, out, NULL));
    CU_ASSERT_FALSE(checkpoint_read(checkpoint, "byte", 1, one, out, &error));
    check_message(&error, "byte|U8|F32, F16, BF16 or F64");
    const char *const all[] = {"none", "f64", "f32", "f16", "bf16", "byte", "unused"};
    CU_ASSERT(checkpoint_expect_only(checkpoint, all, 7, &error));
    CU_ASSERT_FALSE(checkpoint_expect_only(checkpoint, all, 4, &error));
    check_message(&error, "byte|not part|2 such");
    CU_ASSERT_FALSE(checkpoint_expect_only(checkpoint, NULL, 0, &error));
    checkpoint_destroy(checkpoint);
    bytes_clear(&file);
}

static void refused_value(const char *dtype, const void *value, size_t size)
{
    char header[160];
    struct bytes file = {0};
    struct segman_error error;
    const uint64_t shape[1] = {3};
    float out[3];
    snprintf(header, sizeof(header), "{\"w\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}", dtype, 3 * size);
    build_safetensors(&file, header, 2 * size);
    put(&file, value, size);
    struct checkpoint *checkpoint = check_opens(write_file("values", file.data, file.size));
    CU_ASSERT_FALSE(checkpoint_read(checkpoint, "w", 1, shape, out, &error));
    check_message(&error, "values: |\"w\"|value 2|not a finite number");
    checkpoint_destroy(checkpoint);
    bytes_clear(&file);
}

static void test_not_finite(void)
{
    refused_value("F32", &(float){NAN}, 4);
    refused_value("F32", &(float){-INFINITY}, 4);
    refused_value("F16", &(uint16_t){0x7c00}, 2);
    refused_value("F16", &(uint16_t){0xfe01}, 2);
    refused_value("BF16", &(uint16_t){0x7f80}, 2);
    refused_value("F64", &(double){NAN}, 8);
    refused_value("F64", &(double){1e300}, 8);
}

static void test_header(void)
{
    struct bytes file = {0};
    put(&file, "\1\0\0\0", 4);
    check_refused_bytes("short.safetensors", &file, "short.safetensors: |truncated|4 bytes");
    bytes_clear(&file);
    put_number(&file, UINT64_MAX, 8);
    put_text(&file, "{\"a\":1}");
    check_refused_bytes("huge", &file, "huge: |truncated or damaged|18446744073709551615|7 follow");
    bytes_clear(&file);
    put_number(&file, 9u << 20, 8);
    put_text(&file, "{");
    file.data = realloc(file.data, file.capacity = (9u << 20) + 8);
    memset(file.data + file.size, ' ', file.capacity - file.size);
    file.size = file.capacity;
    check_refused_bytes("large", &file, "header has 9437184 bytes");
    bytes_clear(&file);
    refused("{\"a\":", 0, "not valid JSON");
    refused("{} x", 0, "not valid JSON");
    refused("{\"a\":\"\\u0000\"}", 0, "not valid JSON");
    refused("{\"a\xff\":1}", 0, "not valid JSON");
    refused("[1,2,3,4]", 0, "not a JSON object");
    refused("\"\"", 0, "not valid JSON");
    refused("{}", 0, "no tensors");
    refused("{\"__metadata__\":{\"a\":\"b\"}}", 0, "no tensors");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "metadata|\"a\"|not a text");
    refused("{\"__metadata__\":[]}", 0, "metadata|not a JSON object");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,2]}}",
            2, "duplicate|a");
    char deep[4096] = "{\"a\":";
    memset(deep + 5, '[', sizeof(deep) - 6);
    refused(deep, 0, "not valid JSON");
}

static void test_entries(void)
{
    refused("{\"w\":[]}", 0, "dtype|\"w\"");
    refused("{\"w\":{\"dtype\":\"F99\",\"shape\":[],\"data_offsets\":[0,0]}}", 0, "F99|\"w\"|unknown");
    refused("{\"w\":{\"dtype\":5,\"shape\":[],\"data_offsets\":[0,0]}}", 0, "\"w\"|unknown");
    refused("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", 0, "\"w\"|shape");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "\"w\"|at most 8");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "\"w\"|dimension 0");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1.5],\"data_offsets\":[0,4]}}", 4, "\"w\"|dimension 1");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
            "\"w\"|4294967296x4294967296|larger");
    refused("{\"w\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, "\"w\"|larger");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}", 0, "JSON|too big");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"w\"|data_offsets");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "\"w\"|data_offsets");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "\"w\"|data_offsets");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "\"w\"|outside");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "\"w\"|outside|3 bytes|truncated");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9223372036854775804,9223372036854775807]}}", 3, "outside");
    refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "\"w\"|4 bytes|2 of F32 needs 8");
    refused("{\"w\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,3]}}", 3, "\"w\"|3 bytes|needs 2");
}

static void test_cover(void)
{
#define TENSOR(name, begin, end) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" #begin "," #end "]}"
    refused("{" TENSOR("a", 0, 4) "," TENSOR("b", 2, 6) "}", 6, "\"b\"|overlaps");
    refused("{" TENSOR("a", 0, 4) "," TENSOR("b", 0, 4) "}", 4, "overlaps");
    refused("{" TENSOR("a", 0, 4) "," TENSOR("b", 8, 12) "}", 12, "gap of 4|\"b\"");
    refused("{" TENSOR("a", 4, 8) "}", 8, "gap of 4|\"a\"");
    refused("{" TENSOR("a", 0, 4) "}", 9, "5 bytes after");
    refused("{" TENSOR("a", 0, 4) "," TENSOR("module.a", 4, 8) "}", 8, "\"a\" twice");
    refused("{" TENSOR("\\u001b[31m", 0, 4) "}", 5, "1 bytes after");
    refused("{" TENSOR("\\u001b[31m", 2, 6) "}", 6, "\"?[31m\"");
}

static void test_dataset(void)
{
    static const char format[] = "{\"__metadata__\":{%s}," TENSOR("a", 0, 4) "}";
    static const struct {
        const char *metadata, *words;
    } cases[] = {
        {"\"segman.classes\":\"[\"", "segman.classes|not valid JSON"},
        {"\"segman.classes\":\"[\\\"a\\\"]\",\"segman.palette\":\"[\"", "segman.palette|not valid JSON"},
        {"\"segman.classes\":\"{}\"", "classes|list"},
        {"\"segman.classes\":\"[]\"", "0 classes|1 to 255"},
        {"\"segman.classes\":\"[1]\"", "class 0|not a text"},
        {"\"segman.classes\":\"[\\\"a\\\"]\",\"segman.palette\":\"[]\"", "1 classes|0 colours"},
        {"\"segman.classes\":\"[\\\"a\\\"]\",\"segman.palette\":\"[[0,0,256]]\"", "colour 0|256"},
        {"\"segman.classes\":\"[\\\"a\\\"]\",\"segman.palette\":\"[[0,0]]\"", "colour 0|red, green, blue"},
    };
    char header[512];
    struct bytes file = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(header, sizeof(header), format, cases[i].metadata);
        refused(header, 4, cases[i].words);
    }
    snprintf(header, sizeof(header), format, "\"segman.classes\":\"[\\\"a\\\",\\\"\\u00e4\\\"]\"");
    build_safetensors(&file, header, 4);
    struct checkpoint *checkpoint = check_opens(write_file("dataset", file.data, file.size));
    const struct segman_dataset *dataset = checkpoint_dataset(checkpoint);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_EQUAL(dataset->classes, 2);
    CU_ASSERT_STRING_EQUAL(dataset->name, "");
    CU_ASSERT_STRING_EQUAL(dataset->class_names[1], "\xc3\xa4");
    CU_ASSERT(dataset->palette[0][0] == 128 && dataset->palette[1][1] == 128);
    checkpoint_destroy(checkpoint);
    bytes_clear(&file);
}

static void refused_content(const char *name, const char *data, size_t size, const char *words)
{
    check_refused(write_file(name, data, size), words);
}

static void test_other_files(void)
{
    char tar[512] = "x", fifo[256];
    memcpy(tar + 257, "ustar", 5);
    snprintf(fifo, sizeof(fifo), "%s", temp_path("fifo"));
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
    check_refused(fifo, "device or pipe");
    check_refused(temp_path("missing.pth"), "missing.pth|cannot be opened|No such file");
    check_refused(temp_path(""), "folder");
    check_refused("", "cannot be opened");
    refused_content("empty.pth", "", 0, "empty.pth|empty file");
    refused_content("a.png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, "PNG image");
    refused_content("a.jpg", "\xff\xd8\xff\xe0\0\x10JFIF", 10, "JPEG image");
    refused_content("a.txt", "hello, \xc3\xa4 world\n", 16, "text file");
    refused_content("a.json", "[      ]{\"a\":1}\n", 16, "text file");
    refused_content("a.html", "<!DOCTYPE html><html>", 21, "web page");
    refused_content("a.lfs", "version https://git-lfs.github.com/spec/v1\noid", 46, "Git LFS");
    refused_content("a.tar", tar, sizeof(tar), "PyTorch 1.6|torch.save");
    refused_content("a.gguf", "GGUF\3\0\0\0\0\0\0\0", 12, "GGUF");
    refused_content("a.gz", "\x1f\x8b\x08\0\0\0\0\0\0\3", 10, "gzip|unpack");
    refused_content("a.pkl", "\x80\x03}q\0.", 6, "bare pickle");
    refused_content("a.bin", "\1\2\3\4\5\6\7\x08\x09\x0a", 10, "neither");
    refused_content("tiny", "\1", 1, "neither");
    refused_content("damaged.safetensors", "\2\0\0\0\0\0\0\0xx", 10, "not valid JSON");
}

static void test_ignored(void)
{
    CU_ASSERT(checkpoint_name_ignored("backbone.patch_embed.1.num_batches_tracked"));
    CU_ASSERT(checkpoint_name_ignored("num_batches_tracked"));
    CU_ASSERT(checkpoint_name_ignored("backbone.layers.0.rope.angle"));
    CU_ASSERT(checkpoint_name_ignored("rope.angle"));
    CU_ASSERT_FALSE(checkpoint_name_ignored("europe.angle"));
    CU_ASSERT_FALSE(checkpoint_name_ignored("backbone.layers.0.angle"));
    CU_ASSERT_FALSE(checkpoint_name_ignored("num_batches_tracked.weight"));
    CU_ASSERT_FALSE(checkpoint_name_ignored(""));
}

int main(void)
{
    static const struct test tests[] = {
        {"values", test_values},   {"expectations", test_expectations}, {"not finite", test_not_finite},
        {"header", test_header},   {"entries", test_entries},           {"cover of the data", test_cover},
        {"dataset", test_dataset}, {"other files", test_other_files},   {"ignored names", test_ignored},
    };
    return run_tests("safetensors", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
