/* SPDX-License-Identifier: Apache-2.0 */
#include "checks.h"

#include <stdio.h>
#include <string.h>

#define MILLISECOND 1000000

void check_times(const struct media *in, const struct media *out, guint count)
{
    guint most = MIN(in->times->len, out->times->len);
    gint64 worst = 0;

    CU_ASSERT(out->readable);
    if (!count)
        CU_ASSERT_EQUAL(out->times->len, in->times->len);
    if (count)
        CU_ASSERT_EQUAL(out->times->len, count);
    for (guint i = 0; i < most; i++)
        worst = MAX(worst, ABS(g_array_index(in->times, gint64, i) - g_array_index(out->times, gint64, i)));
    printf("  %u frames of %u, times differ by %.3f ms at most\n", out->times->len, in->times->len, (double)worst / MILLISECOND);
    CU_ASSERT(most > 0);
    CU_ASSERT(worst <= MILLISECOND);
}

void check_sound(const struct media *in, const struct media *out)
{
    CU_ASSERT(g_bytes_get_size(in->audio) > 0);
    CU_ASSERT(g_bytes_equal(in->audio, out->audio));
    CU_ASSERT_EQUAL(in->audio_times->len, out->audio_times->len);
    for (guint i = 0; i < MIN(in->audio_times->len, out->audio_times->len); i++) {
        gint64 gap = ABS(g_array_index(in->audio_times, gint64, i) - g_array_index(out->audio_times, gint64, i));
        if (gap > MILLISECOND) {
            printf("  packet %u of the sound is %.3f ms off\n", i, (double)gap / MILLISECOND);
            CU_FAIL("the sound's times");
            break;
        }
    }
    printf("  sound: %zu bytes in %u packets\n", g_bytes_get_size(out->audio), out->audio_times->len);
}

double equal_share(GBytes *a, GBytes *b)
{
    gsize n, m, same = 0;
    const guint8 *x = g_bytes_get_data(a, &n), *y = g_bytes_get_data(b, &m);

    if (n != m || !n)
        return 0;
    for (gsize i = 0; i < n; i++)
        same += x[i] == y[i];
    return (double)same / (double)n;
}

void check_nothing(const char *name)
{
    guint left = count_files(name);

    if (left)
        printf("  %u files are left of %s\n", left, name);
    CU_ASSERT_EQUAL(left, 0);
}
