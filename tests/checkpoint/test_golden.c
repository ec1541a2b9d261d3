/* SPDX-License-Identifier: Apache-2.0 */
/* The stored checkpoints: the procedural .pth of PyTorch, and the bundled model. */
#include "support.h"

#include <unistd.h>

static const char *golden_pth, *golden_image, *model;

static void test_procedural_pth(void)
{
    struct segman_error error = {0};
    struct checkpoint *checkpoint = check_opens(golden_pth);
    size_t compared = 0, different = 0;
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct checkpoint_tensor *tensor = checkpoint_at(checkpoint, i);
        if (checkpoint_name_ignored(tensor->name))
            continue;
        float *found = calloc(tensor->count, sizeof(float)), *expected = calloc(tensor->count, sizeof(float));
        CU_ASSERT(checkpoint_read(checkpoint, tensor->name, tensor->rank, tensor->shape, found, &error));
        procedural_value(tensor->name, tensor->rank, tensor->shape, expected);
        different += memcmp(found, expected, tensor->count * sizeof(float)) != 0;
        compared++;
        free(found);
        free(expected);
    }
    CU_ASSERT_EQUAL(different, 0);
    CU_ASSERT(compared > 400);
    const struct segman_dataset *dataset = checkpoint_dataset(checkpoint);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_EQUAL(dataset->classes, 150);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[149], "class 149");
    CU_ASSERT(dataset->palette[3][0] == 111 && dataset->palette[3][1] == 273 % 256 && dataset->palette[3][2] == 453 % 256);
    checkpoint_destroy(checkpoint);
}

static void test_image(void)
{
    struct checkpoint *checkpoint = check_opens(golden_image);
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, "image");
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    CU_ASSERT_FATAL(tensor->rank == 3 && strcmp(tensor->dtype_name, "U8") == 0);
    uint8_t *image = malloc(tensor->count);
    procedural_image((uint32_t)tensor->shape[1], (uint32_t)tensor->shape[2], image);
    CU_ASSERT(memcmp(image, checkpoint_raw(checkpoint, tensor), tensor->count) == 0);
    free(image);
    checkpoint_destroy(checkpoint);
}

static void test_bundled_model(void)
{
    struct segman_error error = {0};
    struct checkpoint *checkpoint = check_opens(model);
    const struct segman_dataset *dataset = checkpoint_dataset(checkpoint);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_EQUAL(dataset->classes, 24);
    CU_ASSERT_STRING_EQUAL(dataset->name, "indoor24");
    CU_ASSERT_STRING_EQUAL(dataset->class_names[6], "person");
    CU_ASSERT(memcmp(dataset->palette[6], "\xe6\x1e\x46", 3) == 0);
    CU_ASSERT_STRING_EQUAL(checkpoint_metadata(checkpoint, "segman.variant"), "t");
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct checkpoint_tensor *tensor = checkpoint_at(checkpoint, i);
        float *values = calloc(tensor->count, sizeof(float));
        CU_ASSERT(checkpoint_find(checkpoint, tensor->name) == tensor);
        CU_ASSERT(checkpoint_read(checkpoint, tensor->name, tensor->rank, tensor->shape, values, &error));
        free(values);
    }
    checkpoint_destroy(checkpoint);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"procedural .pth", test_procedural_pth},
        {"procedural image", test_image},
        {"bundled model", test_bundled_model},
    };
    if (argc != 4 || access(argv[1], R_OK) || access(argv[2], R_OK) || access(argv[3], R_OK)) {
        printf("skipped: the golden files are not here\n");
        return 77;
    }
    golden_pth = argv[1];
    golden_image = argv[2];
    model = argv[3];
    return run_tests("golden", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
