/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/look.h"

#include <glib.h>
#include <string.h>

static char *names[] = {"wall", "Person", "traffic light", "7up"};
static uint8_t colors[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}};
static const struct segman_dataset own = {.name = "four", .classes = 4, .class_names = names, .palette = colors};

static bool parse(const char *list, bool *shown, struct segman_error *error)
{
    return app_classes_parse(list, names, 4, shown, error);
}

static void class_lists(void)
{
    struct segman_error error;
    bool shown[4];

    CU_ASSERT_TRUE(parse("person, Traffic Light", shown, &error));
    CU_ASSERT_TRUE(!shown[0] && shown[1] && shown[2] && !shown[3]);
    CU_ASSERT_TRUE(parse("0,3,", shown, &error));
    CU_ASSERT_TRUE(shown[0] && !shown[1] && !shown[2] && shown[3]);
    CU_ASSERT_TRUE(parse("7up", shown, &error));
    CU_ASSERT_TRUE(shown[3]);
    CU_ASSERT_FALSE(parse("4", shown, &error));
    CU_ASSERT_FALSE(parse("-1", shown, &error));
    CU_ASSERT_FALSE(parse(" , ", shown, &error));
    CU_ASSERT_FALSE(parse("\xff\xfe", shown, &error));
    CU_ASSERT_FALSE(parse("persn", shown, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "persn"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "traffic light"));
}

static void models_own(void)
{
    struct app_look_params params = {.own = &own, .model = "m", .classes = 4, .opacity = 0.25, .shown = "person"};
    struct app_look look;

    CU_ASSERT_TRUE_FATAL(app_look_init(&look, &params, NULL));
    CU_ASSERT_STRING_EQUAL(look.names[2], "traffic light");
    CU_ASSERT_EQUAL(look.style.palette[1][0], 4);
    CU_ASSERT_EQUAL(look.style.palette[1][3], 255);
    CU_ASSERT_EQUAL(look.style.palette[0][3], 0);
    CU_ASSERT_DOUBLE_EQUAL(look.style.opacity, 0.25, 1e-6);
    CU_ASSERT_TRUE(app_look_shows(&look, 1));
    CU_ASSERT_FALSE(app_look_shows(&look, 0));
    CU_ASSERT_FALSE(app_look_shows(&look, 255));
    app_look_finish(&look);
}

static void without_names(void)
{
    struct app_look_params params = {.model = "m", .classes = 7, .opacity = 0.5};
    struct app_look look;

    CU_ASSERT_TRUE_FATAL(app_look_init(&look, &params, NULL));
    CU_ASSERT_STRING_EQUAL(look.names[6], "class 6");
    CU_ASSERT_NOT_EQUAL(memcmp(look.style.palette[0], look.style.palette[1], 3), 0);
    app_look_finish(&look);
}

static void from_file(void)
{
    static const char text[] = "{\"name\":\"x\",\"classes\":[\"a\",\"b\"],\"palette\":[[9,8,7],[6,5,4]]}";
    g_autofree char *path = scratch("two.json");
    struct app_look_params params = {.model = "the model", .classes = 2, .palette = path, .opacity = 0.5};
    struct segman_error error;
    struct app_look look;

    CU_ASSERT_TRUE_FATAL(g_file_set_contents(path, text, -1, NULL));
    CU_ASSERT_TRUE_FATAL(app_look_init(&look, &params, &error));
    CU_ASSERT_STRING_EQUAL(look.names[1], "b");
    CU_ASSERT_EQUAL(look.style.palette[0][0], 9);
    app_look_finish(&look);

    params.classes = 4;
    params.own = &own;
    CU_ASSERT_FALSE(app_look_init(&look, &params, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "found colours for 2 classes, expected 4"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "the model"));
    params.palette = "no_such_palette";
    CU_ASSERT_FALSE(app_look_init(&look, &params, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "no_such_palette"));
}

static void colors_alone(void)
{
    static const char text[] = "{\"name\":\"x\",\"palette\":[[9,8,7],[6,5,4],[3,2,1],[0,0,1],[1,1,1]]}";
    g_autofree char *path = scratch("five.json");
    struct app_look_params params = {.own = &own, .model = "m", .classes = 4, .palette = path, .opacity = 0.5};
    struct segman_error error;
    struct app_look look;

    CU_ASSERT_TRUE_FATAL(g_file_set_contents(path, text, -1, NULL));
    CU_ASSERT_TRUE_FATAL(app_look_init(&look, &params, &error));
    CU_ASSERT_STRING_EQUAL(look.names[0], "wall");
    CU_ASSERT_EQUAL(look.style.palette[1][0], 6);
    app_look_finish(&look);
    params.classes = 6;
    params.own = NULL;
    CU_ASSERT_FALSE(app_look_init(&look, &params, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "found colours for 5 classes, expected 6"));
}

static void generated(void)
{
    uint8_t seen[40][3];

    for (uint32_t i = 0; i < 40; i++) {
        app_palette_generated(i, seen[i]);
        for (uint32_t j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(memcmp(seen[i], seen[j], 3), 0);
    }
}

CU_TestInfo test_look[] = {{"class lists", class_lists},
                           {"the model's own", models_own},
                           {"without names", without_names},
                           {"palette file", from_file},
                           {"colours alone", colors_alone},
                           {"generated colours", generated},
                           CU_TEST_INFO_NULL};
