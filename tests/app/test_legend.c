/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/legend.h"

#include <stdio.h>

static char *names[40];
static char storage[40][16];

static struct app_look make_look(void)
{
    struct app_look look = {.classes = 40, .names = names};

    for (int i = 0; i < 40; i++) {
        snprintf(storage[i], sizeof storage[i], "class %d", i);
        names[i] = storage[i];
        look.style.palette[i][0] = (uint8_t)(6 * i);
        look.style.palette[i][3] = 255;
    }
    return look;
}

static void still(void)
{
    struct app_look look = make_look();
    struct app_legend_params params = {.look = &look, .width = 640, .height = 480};
    struct app_legend *legend = app_legend_create(&params);
    uint64_t counts[256] = {[3] = 500, [7] = 900, [9] = 1, [255] = 599};
    const uint32_t *classes;
    uint32_t more;

    look.style.palette[12][3] = 0; /* hidden */
    counts[12] = 800;
    CU_ASSERT_TRUE(app_legend_update(legend, counts));
    CU_ASSERT_FALSE(app_legend_update(legend, counts)); /* nothing new */
    CU_ASSERT_EQUAL_FATAL(app_legend_listed(legend, &classes, &more), 2);
    CU_ASSERT_EQUAL(classes[0], 7);
    CU_ASSERT_EQUAL(classes[1], 3);
    CU_ASSERT_EQUAL(more, 0);
    counts[3] = 1000;
    CU_ASSERT_TRUE(app_legend_update(legend, counts));
    CU_ASSERT_EQUAL(app_legend_listed(legend, &classes, &more), 2);
    CU_ASSERT_EQUAL(classes[0], 3);
    app_legend_destroy(legend);
    app_legend_destroy(NULL);
}

static void picture(void)
{
    struct app_look look = make_look();
    struct app_legend_params params = {.look = &look, .width = 1280, .height = 480, .left = 640};
    struct app_legend *legend = app_legend_create(&params);
    uint64_t counts[256] = {0};
    const uint32_t *classes;
    uint32_t more;
    struct segman_overlay overlay;

    CU_ASSERT_FALSE(app_legend_update(legend, counts));
    CU_ASSERT_PTR_NULL(app_legend_draw(legend).rgba);
    for (int i = 0; i < 40; i++)
        counts[i] = 100;
    CU_ASSERT_TRUE(app_legend_update(legend, counts));
    CU_ASSERT_TRUE(app_legend_listed(legend, &classes, &more) < 40);
    CU_ASSERT_TRUE(more > 0);
    overlay = app_legend_draw(legend);
    CU_ASSERT_PTR_NOT_NULL_FATAL(overlay.rgba);
    CU_ASSERT_TRUE(overlay.x >= 640 && overlay.x + (int)overlay.width <= 1280);
    CU_ASSERT_TRUE(overlay.y >= 0 && overlay.y + (int)overlay.height <= 480);
    CU_ASSERT_EQUAL(overlay.rgba[3], 153); /* the ground: black, 0.6 */
    app_legend_destroy(legend);
}

static void tiny(void)
{
    struct app_look look = make_look();
    struct app_legend_params params = {.look = &look, .width = 8, .height = 8};
    struct app_legend *legend = app_legend_create(&params);
    uint64_t counts[256] = {[1] = 64};
    struct segman_overlay overlay;

    CU_ASSERT_TRUE(app_legend_update(legend, counts));
    overlay = app_legend_draw(legend);
    CU_ASSERT_TRUE(overlay.width <= 8 && overlay.height <= 8);
    app_legend_destroy(legend);
}

/* A class that flickers for one frame of a video changes nothing. */
static void calm(void)
{
    struct app_look look = make_look();
    struct app_legend_params params = {.look = &look, .width = 640, .height = 480, .moving = true};
    struct app_legend *legend = app_legend_create(&params);
    uint64_t steady[256] = {[1] = 600, [2] = 400}, flicker[256] = {[1] = 580, [2] = 400, [3] = 20};

    CU_ASSERT_TRUE(app_legend_update(legend, steady));
    CU_ASSERT_FALSE(app_legend_update(legend, flicker));
    CU_ASSERT_FALSE(app_legend_update(legend, steady));
    for (int i = 0; i < 5; i++)
        app_legend_update(legend, flicker);
    const uint32_t *classes;
    uint32_t more;
    CU_ASSERT_EQUAL(app_legend_listed(legend, &classes, &more), 3); /* it stayed */
    app_legend_destroy(legend);
}

CU_TestInfo test_legend[] = {{"still", still}, {"picture", picture}, {"tiny", tiny}, {"calm", calm}, CU_TEST_INFO_NULL};
