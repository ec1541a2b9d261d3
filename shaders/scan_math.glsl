// SPDX-License-Identifier: Apache-2.0
// What the passes of the selective scan compute with:
//
//   h = a h + b,  a = exp(dt A),  b = dt B u,  dt = softplus(W_k z_k + bias_k),  y = sum over k of C h + D u
//
// z = (B, C, dt's low rank ...) of direction k (0 rows, 1 columns, 2 and 3 the same reversed). scan_project keeps it as planes:
// quad j of direction k of all pixels, then the next quad.
#ifndef SCAN_MATH_GLSL
#define SCAN_MATH_GLSL

// Exponents are to the base of 2: W and bias hold a factor log2(e), dt one of 1 / ln 2, which z's B takes back.

// log2(1 + exp2(v)) = max(v, 0) + e P(e), e = exp2(-|v|): P is the minimax polynomial of log2(1 + e) / e on [0, 1], with
// relative error 9e-6 where tensors are float16, else 3e-7 with rounding. Nothing cancels: small dt are as exact.
#ifdef F16
#define SERIES(e)                                                                                                          \
    (1.44268286 + e * (-0.720426142 + e * (0.469174057 + e * (-0.303036213 + e * (0.146032885 - 0.0344359055 * e)))))
#else
#define SERIES(e)                                                                                                          \
    (1.44269478 + e * (-0.721310079 + e * (0.480063707 + e * (-0.353394836 +                                               \
     e * (0.256009728 + e * (-0.155351877 + e * (0.0636078939 - 0.0123194745 * e)))))))
#endif
#define DEFINE_SOFTPLUS(T)              \
    T softplus(T v)                     \
    {                                   \
        T e = exp2(-abs(v));            \
        return max(v, 0.0) + e * SERIES(e); \
    }
DEFINE_SOFTPLUS(float)
DEFINE_SOFTPLUS(vec2)
DEFINE_SOFTPLUS(vec4)

// Two channels, half a quad.
#ifdef F16
#define PAIR uint
vec2 load_pair(uint p)
{
    return unpackHalf2x16(p);
}
uint store_pair(vec2 v)
{
    return packHalf2x16(v);
}
#else
#define PAIR vec2
vec2 load_pair(vec2 p)
{
    return p;
}
vec2 store_pair(vec2 v)
{
    return v;
}
#endif

#endif
