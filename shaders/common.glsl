// SPDX-License-Identifier: Apache-2.0
// What every network shader shares. A tensor is pixel-major; its unit of access is the quad: four channels of
// one pixel, held as uvec2 of packed halves (F16) or as vec4. Arithmetic is float32. Only core Vulkan 1.3 is
// needed: halves are unpacked by unpackHalf2x16, so float16 storage works on every device.
//
//   layout(std430, binding = 1) readonly buffer X { QUAD x[]; };
//   vec4 v = load_quad(x[i]);      y[i] = store_quad(v);
#ifndef COMMON_GLSL
#define COMMON_GLSL

#ifdef F16
#define QUAD uvec2
#define QUAD_BYTES 8
vec4 load_quad(uvec2 q)
{
    return vec4(unpackHalf2x16(q.x), unpackHalf2x16(q.y));
}
uvec2 store_quad(vec4 v)
{
    return uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw));
}
#else
#define QUAD vec4
#define QUAD_BYTES 16
vec4 load_quad(vec4 q)
{
    return q;
}
vec4 store_quad(vec4 v)
{
    return v;
}
#endif

#define ACT_NONE 0
#define ACT_RELU 1
#define ACT_GELU 2
#define ACT_SILU 3

// erf by Abramowitz and Stegun 7.1.26: absolute error below 1.5e-7 in exact arithmetic.
vec4 erf4(vec4 x)
{
    vec4 a = abs(x);
    vec4 t = 1.0 / (1.0 + 0.3275911 * a);
    vec4 p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(x) * (1.0 - p * exp(-a * a));
}

vec4 gelu(vec4 v)
{
#ifdef F16
    // The logistic function of an odd polynomial fitted to the normal distribution: absolute error below 2.6e-5, less than the
    // rounding of a half from 0.05 on, for half of the instructions.
    vec4 q = min(v * v, 28.0);
    return v / (1.0 + exp2(-v * (2.3011213 + q * (0.10677573 - 0.0010142639 * q))));
#else
    return 0.5 * v * (1.0 + erf4(v * 0.70710678118654752));
#endif
}

vec4 activate(vec4 v, uint act)
{
    if (act == ACT_RELU)
        return max(v, 0.0);
    if (act == ACT_GELU)
        return gelu(v);
    if (act == ACT_SILU)
        return v / (1.0 + exp(-v));
    return v;
}

#endif
