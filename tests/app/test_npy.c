/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/npy.h"

#include <glib.h>
#include <string.h>

static void cube(void)
{
    static const float values[24] = {1.5f, -2.0f, [23] = 7.0f};
    static const uint32_t shape[] = {2, 3, 4};
    g_autofree char *path = scratch("cube.npy");
    g_autofree char *bytes = NULL;
    gsize size = 0;
    float last;

    CU_ASSERT_TRUE_FATAL(app_npy_write(path, false, values, shape, 3, NULL));
    CU_ASSERT_TRUE_FATAL(g_file_get_contents(path, &bytes, &size, NULL));
    CU_ASSERT_EQUAL(memcmp(bytes, "\x93NUMPY\x01\x00", 8), 0);
    size_t header = (uint8_t)bytes[8] + 256u * (uint8_t)bytes[9];
    CU_ASSERT_EQUAL((header + 10) % 64, 0);
    CU_ASSERT_EQUAL(size, header + 10 + sizeof values);
    CU_ASSERT_EQUAL(bytes[header + 9], '\n');
    CU_ASSERT_PTR_NOT_NULL(g_strstr_len(bytes + 10, (gssize)header, "'shape': (2, 3, 4)"));
    CU_ASSERT_PTR_NOT_NULL(g_strstr_len(bytes + 10, (gssize)header, "'fortran_order': False"));
    memcpy(&last, bytes + size - sizeof last, sizeof last);
    CU_ASSERT_EQUAL(last, 7.0f);
}

static void row(void)
{
    static const float values[2] = {0};
    static const uint32_t shape[] = {2};
    g_autofree char *path = scratch("row.npy");
    g_autofree char *bytes = NULL;
    struct segman_error error;

    CU_ASSERT_TRUE_FATAL(app_npy_write(path, false, values, shape, 1, NULL));
    CU_ASSERT_TRUE_FATAL(g_file_get_contents(path, &bytes, NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(g_strstr_len(bytes + 10, 118, "'shape': (2, )"));
    CU_ASSERT_FALSE(app_npy_write(path, false, values, shape, 1, &error));
    CU_ASSERT_TRUE(app_npy_write(path, true, values, shape, 1, NULL));
    g_autofree char *nowhere = scratch("none/row.npy");
    CU_ASSERT_FALSE(app_npy_write(nowhere, false, values, shape, 1, &error));
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_IO);
}

CU_TestInfo test_npy[] = {{"three axes", cube}, {"one axis, names that are taken, no folder", row}, CU_TEST_INFO_NULL};
