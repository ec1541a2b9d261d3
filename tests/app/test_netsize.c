/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/netsize.h"

static struct app_netsize_result size_of(const char *text, enum app_mode mode, uint32_t width, uint32_t height)
{
    struct app_netsize rule;
    struct app_netsize_result result = {0};

    CU_ASSERT_TRUE_FATAL(app_netsize_parse(&rule, text, mode, NULL));
    CU_ASSERT_TRUE(app_netsize_apply(&rule, width, height, 224, &result, NULL));
    return result;
}

static void expect(const char *text, uint32_t width, uint32_t height, uint32_t net_width, uint32_t net_height)
{
    struct app_netsize_result result = size_of(text, APP_MODE_WHOLE, width, height);

    CU_ASSERT_EQUAL(result.width, net_width);
    CU_ASSERT_EQUAL(result.height, net_height);
    CU_ASSERT_EQUAL(result.crop, 0);
}

static void by_default(void)
{
    expect(NULL, 640, 480, 704, 512);    /* 682.67 -> 683 -> 704 */
    expect(NULL, 480, 640, 512, 704);    /* upright */
    expect(NULL, 1920, 1080, 928, 512);  /* 910.2 */
    expect(NULL, 512, 512, 512, 512);    /* nothing to do */
    expect(NULL, 4000, 400, 2048, 224);  /* the long side is capped; 204.8 -> smallest side */
    expect(NULL, 4096, 1024, 2048, 512); /* just at the cap */
}

static void by_text(void)
{
    expect("short:384", 640, 480, 512, 384);
    expect("native", 637, 479, 640, 480);
    expect("native", 100, 50, 224, 224);
    expect("512x640", 1, 1, 640, 512);
    expect("500x641", 1, 1, 672, 512);
    expect("32x32", 640, 480, 224, 224);
}

static void slide(void)
{
    struct app_netsize_result result = size_of(NULL, APP_MODE_SLIDE, 2048, 1024);

    CU_ASSERT_EQUAL(result.width, 2048);
    CU_ASSERT_EQUAL(result.height, 1024);
    CU_ASSERT_EQUAL(result.crop, 1024);
    CU_ASSERT_EQUAL(result.stride, 768);
    result = size_of(NULL, APP_MODE_SLIDE, 1280, 720); /* the library clips crops to the image */
    CU_ASSERT_EQUAL(result.height, 736);
    CU_ASSERT_EQUAL(result.crop, 1024);
}

static void refused(void)
{
    static const char *const bad[] = {"",      "512",    "512x",    "x512",     "512x512x",  "-1x5",
                                      "0x512", "short:", "short:0", "short:1k", "9999x9999", "Native"};
    struct segman_error error;
    struct app_netsize rule;
    struct app_netsize_result result;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(app_netsize_parse(&rule, bad[i], APP_MODE_WHOLE, &error));
    CU_ASSERT_TRUE(app_netsize_parse(&rule, "native", APP_MODE_WHOLE, &error));
    CU_ASSERT_FALSE(app_netsize_apply(&rule, 16384, 16384, 224, &result, &error));
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_ARGUMENT);
}

CU_TestInfo test_netsize[] = {{"default rule", by_default}, {"--size", by_text}, {"slide", slide}, {"refused", refused}, CU_TEST_INFO_NULL};
