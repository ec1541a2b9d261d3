// SPDX-License-Identifier: Apache-2.0
// What the passes of the selective scan compute with:
//
//   h = a h + b,  a = exp(dt A),  b = dt B u,  dt = softplus(W_k z_k + bias_k),  y = sum over k of C h + D u
//
// z = (B, C, dt's low rank ...) of direction k (0 rows, 1 columns, 2 and 3 the same reversed) is kept as planes:
// quad j of direction k of all pixels, then the next quad.
#ifndef SCAN_MATH_GLSL
#define SCAN_MATH_GLSL

// log(1 + exp(v)) = max(v, 0) + 2 atanh(s), s = e / (2 + e), e = exp(-|v|): exact to rounding for every v, no log.
#define DEFINE_SOFTPLUS(T)                                                                                  \
    T softplus(T v)                                                                                         \
    {                                                                                                       \
        T e = exp(-abs(v));                                                                                 \
        T s = e / (2.0 + e);                                                                                \
        T t = s * s;                                                                                        \
        T p = 1.0 + t * (0.33333161 + t * (0.20012298 + t * (0.13982579 + t * 0.14078889)));                \
        return max(v, 0.0) + 2.0 * s * p;                                                                   \
    }
DEFINE_SOFTPLUS(vec2)
DEFINE_SOFTPLUS(vec4)

#endif
