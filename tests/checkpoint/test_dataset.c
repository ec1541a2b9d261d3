/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "vk/model/dataset.h"

static void refused(const char *text, const char *words)
{
    struct segman_error error = {0};
    struct segman_dataset *dataset = segman_dataset_open(write_file("d.json", text, strlen(text)), &error);
    CU_ASSERT_PTR_NULL(dataset);
    check_message(&error, "d.json");
    check_message(&error, words);
    segman_dataset_destroy(dataset);
}

static void test_refused(void)
{
    struct segman_error error = {0};
    CU_ASSERT_PTR_NULL(segman_dataset_open(temp_path("missing.json"), &error));
    check_message(&error, "missing.json|No such file");
    CU_ASSERT_PTR_NULL(segman_dataset_open(temp_path(""), &error));
    check_message(&error, "folder");
    CU_ASSERT_PTR_NULL(segman_dataset_open("/dev/zero", NULL));
    refused("", "0 bytes");
    refused("{", "JSON error in line 1");
    refused("[]", "\"name\"");
    refused("{\"name\":\"x\",\"name\":\"y\"}", "JSON|duplicate");
    refused("{\"name\":1,\"classes\":[\"a\"],\"palette\":[[0,0,0]]}", "\"name\"");
    refused("{\"name\":\"x\",\"classes\":[\"a\"]}", "\"palette\"");
    refused("{\"name\":\"x\",\"classes\":5,\"palette\":[[0,0,0]]}", "classes|list");
    refused("{\"name\":\"x\",\"classes\":[],\"palette\":[]}", "0 classes|1 to 255");
    refused("{\"name\":\"x\",\"palette\":[]}", "0 classes|1 to 255");
    refused("{\"name\":\"x\",\"classes\":[\"a\",\"b\"],\"palette\":[[0,0,0]]}", "2 classes|1 colours");
    refused("{\"name\":\"x\",\"classes\":[\"a\",5],\"palette\":[[0,0,0],[0,0,0]]}", "class 1|not a text");
    refused("{\"name\":\"x\",\"classes\":[\"\"],\"palette\":[[0,0,0]]}", "class 0|1 to 127");
    refused("{\"name\":\"x\",\"classes\":[\"a\\nb\"],\"palette\":[[0,0,0]]}", "class 0|control");
    refused("{\"name\":\"x\",\"classes\":[\"a\"],\"palette\":[[0,0]]}", "colour 0|red, green, blue");
    refused("{\"name\":\"x\",\"classes\":[\"a\"],\"palette\":[[0,0,256]]}", "colour 0|256|0 to 255");
    refused("{\"name\":\"x\",\"classes\":[\"a\"],\"palette\":[[0,-1,0]]}", "colour 0|-1");
    refused("{\"name\":\"x\",\"classes\":[\"a\"],\"palette\":[[0,1.5,0]]}", "colour 0|whole numbers");
    refused("{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"classes\":[\"a\"],\"palette\":[[0,0,0]]}",
            "name|63 bytes");
}

static void test_too_many(void)
{
    struct bytes text = {0};
    put_text(&text, "{\"name\":\"x\",\"palette\":[[0,0,0]");
    for (int i = 1; i < 256; i++)
        put_text(&text, ",[0,0,0]");
    put(&text, "]}", 3);
    refused((const char *)text.data, "256 classes|1 to 255");
    bytes_clear(&text);
}

static void check_published(const char *name, uint32_t classes, const char *first, const char *last, const uint8_t color[3])
{
    char file[64];
    struct segman_error error = {0};
    snprintf(file, sizeof(file), "datasets/%s.json", name);
    struct segman_dataset *dataset = segman_dataset_open(data_path(file), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_STRING_EQUAL(dataset->name, name);
    CU_ASSERT_STRING_EQUAL(dataset_guess_name(dataset), name);
    CU_ASSERT_EQUAL(dataset->classes, classes);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[0], first);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[classes - 1], last);
    CU_ASSERT(memcmp(dataset->palette[classes - 1], color, 3) == 0);
    segman_dataset_destroy(dataset);
}

static void test_published(void)
{
    check_published("ade20k", 150, "wall", "flag", (const uint8_t[]){92, 0, 255});
    check_published("cityscapes", 19, "road", "bicycle", (const uint8_t[]){119, 11, 32});
    check_published("coco_stuff164k", 171, "person", "wood", (const uint8_t[]){64, 64, 0});
}

static void check_distinct(uint32_t n, uint8_t (*palette)[3])
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < i; j++)
            CU_ASSERT(memcmp(palette[i], palette[j], 3) != 0);
    }
}

static void test_palettes(void)
{
    struct segman_error error = {0};
    struct segman_dataset *dataset = segman_dataset_open(data_path("palettes/okabe_ito.json"), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_EQUAL(dataset->classes, 255);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[254], "class 254");
    check_distinct(255, dataset->palette);
    segman_dataset_destroy(dataset);
    dataset = dataset_create(255);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    check_distinct(255, dataset->palette);
    segman_dataset_destroy(dataset);
    segman_dataset_destroy(NULL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"refused", test_refused},
        {"too many classes", test_too_many},
        {"published datasets", test_published},
        {"palettes", test_palettes},
    };
    return run_tests("dataset", tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}
