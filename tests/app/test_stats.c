/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/stats.h"

#include <glib.h>
#include <jansson.h>
#include <string.h>

static char *names[] = {"wall", "door, double", "lamp", NULL};

static struct app_look make_look(void)
{
    struct app_look look = {.classes = 3, .names = names};

    for (int i = 0; i < 3; i++)
        look.style.palette[i][3] = i == 2 ? 0 : 255; /* lamp is hidden */
    return look;
}

static void counts(void)
{
    uint8_t map[4 * 8];
    uint64_t count[APP_LABELS];

    memset(map, 7, sizeof map); /* padding that must not be counted */
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 5; x++)
            map[y * 8 + x] = (uint8_t)(x == 4 ? 255 : y % 2);
    app_stats_count(map, 5, 4, 8, count);
    CU_ASSERT_EQUAL(count[0], 8);
    CU_ASSERT_EQUAL(count[1], 8);
    CU_ASSERT_EQUAL(count[255], 4);
    CU_ASSERT_EQUAL(count[7], 0);
}

static char *write_two(const char *path)
{
    uint64_t count[APP_LABELS] = {60, 30, 10};
    struct app_look look = make_look();
    struct app_stats_frame frame = {.pts_ns = 0, .name = "", .width = 10, .height = 10, .counts = count};
    struct app_stats *stats = app_stats_open(path, false, &look, "in\xff.mp4", "model", NULL);
    char *text = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(stats);
    CU_ASSERT_TRUE(app_stats_write(stats, &frame, NULL));
    frame = (struct app_stats_frame){.index = 1, .pts_ns = 33366667, .name = "a\"b.png", .width = 10, .height = 10, .counts = count};
    count[1] = 0;
    CU_ASSERT_TRUE(app_stats_write(stats, &frame, NULL));
    CU_ASSERT_FALSE(g_file_test(path, G_FILE_TEST_EXISTS)); /* not under its name yet */
    CU_ASSERT_TRUE(app_stats_close(stats, NULL));
    app_stats_destroy(stats);
    CU_ASSERT_TRUE_FATAL(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void csv(void)
{
    g_autofree char *path = scratch("stats.csv");
    g_autofree char *text = write_two(path);

    CU_ASSERT_STRING_EQUAL(text, "frame,pts,file,class,name,pixels,share\n"
                                 "0,0.000000,,0,wall,60,0.600000\n"
                                 "0,0.000000,,1,\"door, double\",30,0.300000\n"
                                 "1,0.033367,\"a\"\"b.png\",0,wall,60,0.600000\n");
}

static void json(void)
{
    g_autofree char *path = scratch("stats.json");
    g_autofree char *text = write_two(path);
    json_t *root = json_loads(text, 0, NULL);
    json_t *frames = json_object_get(root, "frames");
    json_t *second = json_array_get(frames, 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(root, "classes")), 3);
    CU_ASSERT_EQUAL(json_array_size(frames), 2);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json_array_get(frames, 0), "classes")), 2);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(second, "classes")), 1);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(second, "file")), "a\"b.png");
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(second, "pts")), 0.033366667, 1e-9);
    json_decref(root);
}

static void dropped(void)
{
    g_autofree char *path = scratch("dropped.csv");
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    g_autofree char *kept = NULL;
    struct app_look look = make_look();
    struct app_stats *stats;

    CU_ASSERT_TRUE(g_file_set_contents(part, "another's", -1, NULL));
    stats = app_stats_open(path, false, &look, "in", "model", NULL);
    CU_ASSERT_PTR_NOT_NULL(stats);
    app_stats_destroy(stats);
    CU_ASSERT_FALSE(g_file_test(path, G_FILE_TEST_EXISTS));
    CU_ASSERT_TRUE(g_file_get_contents(part, &kept, NULL, NULL));
    CU_ASSERT_STRING_EQUAL(kept, "another's");
    CU_ASSERT_PTR_NULL(app_stats_open(part, false, &look, "in", "model", NULL));
    app_stats_destroy(NULL);
}

static void unwritable(void)
{
    g_autofree char *path = scratch("no/such/folder/stats.csv");
    struct app_look look = make_look();
    struct segman_error error;

    CU_ASSERT_PTR_NULL(app_stats_open(path, false, &look, "in", "model", &error));
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_IO);
}

CU_TestInfo test_stats[] = {{"counts", counts},         {"csv", csv},     {"json", json}, {"dropped", dropped},
                            {"unwritable", unwritable}, CU_TEST_INFO_NULL};
