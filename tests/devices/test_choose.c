/* SPDX-License-Identifier: Apache-2.0 */
/* Which device is meant by a number, a part of its name, or a UUID; in a Turkish locale too, where it is installed. No driver is needed. */
#include "../runner.h"

#include <locale.h>
#include <string.h>

#include "vk/gpu/internal.h"

static const struct segman_device_info infos[] = {
    {.index = 0, .name = "llvmpipe (LLVM 15)", .type = SEGMAN_DEVICE_CPU, .uuid = {0xAB, 1}},
    {.index = 1, .name = "Intel(R) Iris(R) Xe", .type = SEGMAN_DEVICE_INTEGRATED, .uuid = {0xCD, 2}},
    {.index = 2, .name = "Radeon", .type = SEGMAN_DEVICE_DISCRETE, .uuid = {0xEF, 3}},
    {.index = 3, .name = "Radeon", .type = SEGMAN_DEVICE_DISCRETE, .lacks = "something"},
};

static int choose(const char *want, struct segman_error *error)
{
    static const VkPhysicalDevice devices[4];
    struct gpu gpu = {0};

    return gpu_device_choose(&gpu, infos, devices, 4, want, error);
}

static void by_text(void)
{
    static const struct {
        const char *want;
        int found;
    } cases[] = {{NULL, 2},     {"", 2},   {"1", 1},        {"INTEL", 1},    {"iris", 1}, {"LLVMPIPE", 0}, {"pipe", 0},
                 {"radeon", 2}, {"7", -1}, {"geforce", -1}, {"ABstart", -1}, {"3", -1},   {"15)", 0},      {"15)x", -1}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct segman_error error = {0};
        int found = choose(cases[i].want, &error);
        CU_ASSERT_EQUAL(found, cases[i].found);
        CU_ASSERT_EQUAL(error.message[0] != 0, found < 0);
    }
}

static void in_turkish(void)
{
    setlocale(LC_CTYPE, "tr_TR.UTF-8");
    by_text();
    setlocale(LC_CTYPE, "C");
}

static void by_uuid(void)
{
    CU_ASSERT_EQUAL(choose("cd020000-0000-0000-0000-000000000000", NULL), 1);
    CU_ASSERT_EQUAL(choose("CD020000000000000000000000000000", NULL), 1);
    CU_ASSERT_EQUAL(choose("cd02000000000000000000000000000000", NULL), -1);
    CU_ASSERT_EQUAL(choose("cd02", NULL), -1);
}

int main(void)
{
    static CU_TestInfo tests[] = {{"by text", by_text}, {"by text, in Turkish", in_turkish}, {"by UUID", by_uuid}, CU_TEST_INFO_NULL};
    return runner_run("choose", tests, NULL);
}
