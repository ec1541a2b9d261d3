// SPDX-License-Identifier: Apache-2.0
// Exact positions in pictures: whole numbers divided without the slow integer division.
#ifndef FRACTION_GLSL
#define FRACTION_GLSL

// floor(n / d) and the remainder, for -d <= n < 2^30, d > 0 and quotients below 2^20: the float quotient is off by one
// at most.
int divide(int n, int d, out int remainder)
{
    int q = int(floor(float(n) / float(d)));
    int r = n - q * d;
    if (r < 0) {
        q--;
        r += d;
    } else if (r >= d) {
        q++;
        r -= d;
    }
    remainder = r;
    return q;
}

#endif
