/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/progress.h"

static void expect(uint64_t done, int64_t total, double seconds, const char *wanted)
{
    char text[160];

    app_progress_text(text, sizeof text, done, total, seconds);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void texts(void)
{
    expect(120, 900, 2.1016, "frame=120/900 (13%) fps=57.1 elapsed=00:00:02 remaining=00:00:14");
    expect(0, 900, 0, "frame=0/900 (0%) fps=0.00 elapsed=00:00:00");
    expect(10, -1, 100, "frame=10 fps=0.10 elapsed=00:01:40");
    expect(11, 10, 1, "frame=11 fps=11.0 elapsed=00:00:01"); /* the estimate was too low */
    expect(1, 100000, 1, "frame=1/100000 (0%) fps=1.00 elapsed=00:00:01 remaining=27:46:39");
    expect(1, INT64_MAX, 1, "frame=1/9223372036854775807 (0%) fps=1.00 elapsed=00:00:01 remaining=99:59:59");
}

CU_TestInfo test_progress[] = {{"texts", texts}, CU_TEST_INFO_NULL};
