/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/paths.h"

#include <glib.h>
#include <string.h>

static void put(const char *name)
{
    g_autofree char *path = scratch(name);
    g_autofree char *folder = g_path_get_dirname(path);

    g_mkdir_with_parents(folder, 0700);
    CU_ASSERT_TRUE(g_file_set_contents(path, "x", -1, NULL));
}

static void models(void)
{
    g_autofree char *wanted = scratch("segman/models/mine.pth");
    g_autofree char *found = NULL;
    g_autofree char *synthetic = app_paths_model("synthetic:t:19", NULL);
    struct segman_error error;

    put("segman/models/mine.pth");
    found = app_paths_model("mine", &error);
    CU_ASSERT_STRING_EQUAL(found, wanted);
    CU_ASSERT_STRING_EQUAL(synthetic, "synthetic:t:19");
    CU_ASSERT_PTR_NULL(app_paths_model("other", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "mine"));
    CU_ASSERT_PTR_NULL(app_paths_model("./other", &error));
    CU_ASSERT_PTR_NULL(app_paths_model("/", &error));
    CU_ASSERT_PTR_NULL(app_paths_model("/dev/null", &error));
    CU_ASSERT_PTR_NULL(strstr(error.message, "does not exist"));
}

static void palettes(void)
{
    g_autofree char *wanted = scratch("segman/palettes/pale.json");
    g_autofree char *found = NULL;
    struct segman_error error;

    put("segman/palettes/pale.json");
    put("segman/datasets/fields.json");
    found = app_paths_palette("pale", &error);
    CU_ASSERT_STRING_EQUAL(found, wanted);
    CU_ASSERT_PTR_NULL(app_paths_palette("other", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "pale"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "fields"));
}

static void free_names(void)
{
    g_autofree char *stem = scratch("room");
    g_autofree char *first = app_paths_free_name(stem, ".mp4");
    g_autofree char *second = NULL;

    CU_ASSERT_TRUE(g_str_has_suffix(first, "/room.mp4"));
    put("room.mp4");
    put("room-1.mp4");
    second = app_paths_free_name(stem, ".mp4");
    CU_ASSERT_TRUE(g_str_has_suffix(second, "/room-2.mp4"));
}

CU_TestInfo test_paths[] = {{"models", models}, {"palettes", palettes}, {"free names", free_names}, CU_TEST_INFO_NULL};
